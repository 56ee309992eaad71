import type { Item } from './item.ts'
import { type NaiveOperator, type NaiveOutput, throws } from './naiveOperator.ts'
import { foldOf } from './plan.ts'
import { isLeft, pairOf, type Sum, summaryOf, type TimedStep } from './windowKinds.ts'

type StepOf<K extends TimedStep['kind']> = Extract<TimedStep, { readonly kind: K }>

/** Windows, joins and order in the most direct form: everything that came is kept, and looked through at every move. */
export function naiveTimed(step: TimedStep, out: NaiveOutput): NaiveOperator {
  switch (step.kind) {
    case 'hops':
      return naiveHops(step, out)
    case 'session':
      return step.maxMs === null ? naiveSessions(step, out) : inTheirOrder(step.name, out, boundedSessions(step, out))
    case 'lots':
      return inTheirOrder(step.name, out, naiveLots(step, out))
    case 'inOrder':
      return inTheirOrder(step.name, out, { take: (item, at) => out.emit(item, at) })
    case 'join':
      return naiveJoin(step, out)
    case 'asOf':
      return naiveAsOf(step, out)
  }
}

interface Timed {
  readonly item: Item
  readonly at: number
}

interface NaiveWindow {
  readonly key: string
  readonly start: number
  readonly end: number
  revision: number
  readonly sum: Sum
}

const nothing: Sum = { count: 0, sum: 0 }
const plus = ({ count, sum }: Sum, { n }: Item): Sum => ({ count: count + 1, sum: sum + n })
const byEnd = (a: Pick<NaiveWindow, 'key' | 'end'>, b: Pick<NaiveWindow, 'key' | 'end'>) =>
  a.end - b.end || (a.key < b.key ? -1 : 1)

function naiveHops({ name, sizeMs, hopMs, allowedLatenessMs }: StepOf<'hops'>, out: NaiveOutput): NaiveOperator {
  let windows: (Omit<NaiveWindow, 'sum'> & { sum: Sum })[] = []
  const fire = (one: NaiveWindow) => {
    one.revision += 1
    out.emit(summaryOf(one, one.sum, one.start / hopMs, one.revision), one.end - 1)
  }
  return {
    take(item, at) {
      const watermark = out.watermark()
      const newest = Math.floor(at / hopMs) * hopMs
      const starts = Array.from({ length: Math.ceil(sizeMs / hopMs) }, (_, i) => newest - i * hopMs)
      const holding = starts.filter((start) => start + sizeMs > at).reverse()
      const open = holding.filter((start) => watermark < start + sizeMs - 1 + allowedLatenessMs)
      const taken = open.map((start) => {
        const known = windows.find((one) => one.key === item.key && one.start === start)
        const window = known ?? { key: item.key, start, end: start + sizeMs, revision: 0, sum: nothing }
        if (known === undefined) windows.push(window)
        window.sum = plus(window.sum, item)
        return window
      })
      for (const window of taken) if (window.end - 1 <= watermark) fire(window)
      if (open.length < holding.length) out.setAside(name)
    },
    onMove(watermark) {
      for (const one of windows.toSorted(byEnd)) if (one.revision === 0 && one.end - 1 <= watermark) fire(one)
      windows = windows.filter(({ end }) => watermark < end - 1 + allowedLatenessMs)
    },
    isOpen: () => windows.some(({ revision }) => revision === 0),
  }
}

interface LateTimed extends Timed {
  /** Of the newest result that it was part of; 0 where it was part of none. */
  revision: number
}

interface NaiveSession {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly group: readonly LateTimed[]
}

function naiveSessions(
  { name, gapMs, allowedLatenessMs = 0, throwsOn }: StepOf<'session'>,
  out: NaiveOutput,
): NaiveOperator {
  let kept: LateTimed[] = []
  const ended = new Map<string, number>()
  /** Sessions whose results hold. */
  let shown: NaiveSession[] = []
  const isSame = (a: NaiveSession, b: NaiveSession) => a.key === b.key && a.start === b.start
  const revisionOf = ({ group }: NaiveSession) => Math.max(...group.map(({ revision }) => revision))
  const resultOf = (one: NaiveSession, revision: number) =>
    summaryOf(one, sumOf(one.group, throwsOn), one.start, revision)

  function sessions(): NaiveSession[] {
    return [...Map.groupBy(kept, ({ item }) => item.key)].flatMap(([key, values]) => {
      const groups: LateTimed[][] = []
      for (const value of values.toSorted((a, b) => a.at - b.at)) {
        const last = groups.at(-1)
        if (last === undefined || value.at - (last.at(-1) as Timed).at >= gapMs) groups.push([value])
        else last.push(value)
      }
      return groups.map((group) => {
        return { key, start: (group[0] as Timed).at, end: (group.at(-1) as Timed).at + gapMs, group }
      })
    })
  }

  function fire(one: NaiveSession): void {
    const revision = revisionOf(one) + 1
    for (const value of one.group) value.revision = revision
    shown = shown.filter((other) => !isSame(one, other))
    if (sumOf(one.group, throwsOn).count === 0) return
    shown.push(one)
    out.emit(resultOf(one, revision), one.end - 1)
  }

  return {
    take(item, at) {
      const watermark = out.watermark()
      if (at + gapMs - 1 + allowedLatenessMs <= watermark || at < (ended.get(item.key) ?? Number.NEGATIVE_INFINITY)) {
        out.setAside(name)
        return
      }
      const value = { item, at, revision: 0 }
      kept.push(value)
      const due = sessions().filter(({ end }) => end - 1 <= watermark)
      const gone = shown.filter((one) => !due.some((other) => isSame(one, other)))
      shown = shown.filter((one) => !gone.includes(one))
      for (const one of gone.sort((a, b) => a.start - b.start)) {
        out.emit({ ...resultOf(one, revisionOf(one) + 1), isGone: true }, one.end - 1)
      }
      if (throws(throwsOn, item)) out.setAside(foldOf(name))
      const own = due.find(({ group }) => group.includes(value))
      if (own !== undefined) fire(own)
    },
    onMove(watermark, before) {
      for (const one of sessions().sort(byEnd)) if (one.end - 1 > before && one.end - 1 <= watermark) fire(one)
      for (const one of sessions()) {
        if (one.end - 1 + allowedLatenessMs > watermark) continue
        kept = kept.filter((value) => !one.group.includes(value))
        shown = shown.filter((other) => !isSame(one, other))
        ended.set(one.key, Math.max(one.end, ended.get(one.key) ?? one.end))
      }
    },
    isOpen: () => sessions().some(({ end }) => end - 1 > out.watermark()),
  }
}

function sumOf(values: readonly Timed[], throwsOn: number | null): Sum {
  return values.reduce((sum, { item }) => (throws(throwsOn, item) ? sum : plus(sum, item)), nothing)
}

/** What acts on values in their order, and on times between. */
interface Ordered {
  take(item: Item, at: number): void
  /** The earliest time at which it has something to do; what comes at that time is before it. */
  nextDue?(): number
  act?(time: number): void
  isOpen?(): boolean
}

/** Values wait until the watermark has come to them. */
function inTheirOrder(name: string, out: NaiveOutput, ordered: Ordered): NaiveOperator {
  let held: Timed[] = []
  return {
    take(item, at) {
      if (at <= out.watermark()) out.setAside(name)
      else held.push({ item, at })
    },
    onMove(watermark) {
      for (;;) {
        const next = held.toSorted((a, b) => a.at - b.at)[0]
        const due = ordered.nextDue?.() ?? Number.POSITIVE_INFINITY
        if (next !== undefined && next.at <= watermark && next.at <= due) {
          held = held.filter((one) => one !== next)
          ordered.take(next.item, next.at)
        } else if (due <= watermark) ordered.act?.(due)
        else return
      }
    },
    isOpen: () => held.length > 0 || ordered.isOpen?.() === true,
  }
}

function boundedSessions({ name, gapMs, maxMs, throwsOn }: StepOf<'session'>, out: NaiveOutput): Ordered {
  const open = new Map<string, Timed[]>()
  const endOf = (values: readonly Timed[]) =>
    Math.min((values.at(-1) as Timed).at + gapMs, (values[0] as Timed).at + (maxMs as number))
  return {
    take(item, at) {
      if (throws(throwsOn, item)) out.setAside(foldOf(name))
      open.set(item.key, [...(open.get(item.key) ?? []), { item, at }])
    },
    nextDue: () => Math.min(Number.POSITIVE_INFINITY, ...[...open.values()].map((values) => endOf(values) - 1)),
    act(time) {
      const over = [...open].filter(([, values]) => endOf(values) - 1 === time).sort(([a], [b]) => (a < b ? -1 : 1))
      for (const [key, values] of over) {
        open.delete(key)
        const sum = sumOf(values, throwsOn)
        if (sum.count > 0) out.emit(summaryOf({ key, end: time + 1 }, sum, (values[0] as Timed).at, 1), time)
      }
    },
    isOpen: () => open.size > 0,
  }
}

function naiveLots({ size, maxWaitMs }: StepOf<'lots'>, out: NaiveOutput): Ordered {
  const lots = new Map<string, { ordinal: number; values: Timed[] }>()
  const dueOf = ({ values }: { values: readonly Timed[] }) =>
    values[0] === undefined ? Number.POSITIVE_INFINITY : values[0].at + maxWaitMs - 1
  const close = (key: string, time: number) => {
    const lot = lots.get(key) as { ordinal: number; values: Timed[] }
    const end = (lot.values.at(-1) as Timed).at + 1
    lots.set(key, { ordinal: lot.ordinal + 1, values: [] })
    out.emit(summaryOf({ key, end }, sumOf(lot.values, null), lot.ordinal, 1), time)
  }
  return {
    take(item, at) {
      const lot = lots.get(item.key) ?? { ordinal: 0, values: [] }
      lots.set(item.key, lot)
      lot.values.push({ item, at })
      if (lot.values.length === size) close(item.key, at)
    },
    nextDue: () => Math.min(Number.POSITIVE_INFINITY, ...[...lots.values()].map(dueOf)),
    act(time) {
      const due = [...lots].filter(([, lot]) => dueOf(lot) === time).map(([key]) => key)
      for (const key of due.sort()) close(key, time)
    },
    isOpen: () => [...lots.values()].some(({ values }) => values.length > 0),
  }
}

function naiveJoin({ name, fromMs, toMs, how, throwsOn }: StepOf<'join'>, out: NaiveOutput): NaiveOperator {
  let left: (Timed & { isMatched: boolean })[] = []
  let right: (Timed & { isMatched: boolean })[] = []
  const keepLeft = Math.max(toMs, 0)
  const keepRight = Math.max(-fromMs, 0)
  const fits = (l: Timed, r: Timed) => l.item.key === r.item.key && r.at - l.at >= fromMs && r.at - l.at <= toMs
  const byTime = (a: Timed, b: Timed) => a.at - b.at
  return {
    take(item, at) {
      if (at <= out.watermark() || throws(throwsOn, item)) {
        out.setAside(name)
        return
      }
      const one = { item, at, isMatched: false }
      const isOnLeft = isLeft(item)
      const partners = (isOnLeft ? right.filter((r) => fits(one, r)) : left.filter((l) => fits(l, one))).sort(byTime)
      if (isOnLeft) left.push(one)
      else right.push(one)
      for (const partner of partners) {
        one.isMatched = true
        partner.isMatched = true
        const pair = isOnLeft ? pairOf(item, partner.item) : pairOf(partner.item, item)
        out.emit(pair, Math.max(at, partner.at))
      }
    },
    onMove(watermark) {
      const alone = [
        ...left.map((one) => ({ ...one, side: 0, due: one.at + keepLeft, isTold: how !== 'inner' })),
        ...right.map((one) => ({ ...one, side: 1, due: one.at + keepRight, isTold: how === 'outer' })),
      ].filter(({ due, isTold, isMatched }) => due <= watermark && isTold && !isMatched)
      const keyOrder = (a: Timed, b: Timed) => (a.item.key < b.item.key ? -1 : a.item.key > b.item.key ? 1 : 0)
      left = left.filter(({ at }) => at + keepLeft > watermark)
      right = right.filter(({ at }) => at + keepRight > watermark)
      for (const { item, side, due } of alone.sort((a, b) => a.due - b.due || keyOrder(a, b) || a.side - b.side)) {
        out.emit(side === 0 ? pairOf(item, null) : pairOf(null, item), due)
      }
    },
    isOpen: () =>
      (how !== 'inner' && left.some(({ isMatched }) => !isMatched)) ||
      (how === 'outer' && right.some(({ isMatched }) => !isMatched)),
  }
}

function naiveAsOf({ name, keepMs, throwsOn }: StepOf<'asOf'>, out: NaiveOutput): NaiveOperator {
  const versions: Timed[] = []
  let waiting: Timed[] = []
  return {
    take(item, at) {
      if (at <= out.watermark()) out.setAside(name)
      else if (isLeft(item)) waiting.push({ item, at })
      else if (throws(throwsOn, item)) out.setAside(name)
      else versions.push({ item, at })
    },
    onMove(watermark) {
      const due = waiting.filter(({ at }) => at <= watermark).sort((a, b) => a.at - b.at)
      waiting = waiting.filter(({ at }) => at > watermark)
      for (const { item, at } of due) {
        if (throws(throwsOn, item)) {
          out.setAside(name)
          continue
        }
        const upTo = versions.filter((one) => one.item.key === item.key && one.at <= at).sort((a, b) => a.at - b.at)
        const newest = upTo.at(-1)
        out.emit(pairOf(item, newest === undefined || at - newest.at > keepMs ? null : newest.item), at)
      }
    },
    isOpen: () => waiting.length > 0,
  }
}
