import { type Item, isSound } from './item.ts'
import { type NaiveOperator, type NaiveOutput, throws } from './naiveOperator.ts'
import { naiveTimed } from './naiveTimed.ts'
import { foldOf, type Step } from './plan.ts'
import type { TimedStep } from './windowKinds.ts'
import { countOf, noTotals, type Totals, withItem } from './windowTotals.ts'

type StepOf<K extends Step['kind']> = Extract<Step, { readonly kind: K }>

/** An operator that keeps something. */
export type KeepingStep = TimedStep | StepOf<'dedupe' | 'window' | 'counter' | 'silence' | 'moves' | 'running'>

/** What results are kept below by the operators that a user has. */
const mostNumber = 90

export function naiveOperator(step: KeepingStep, out: NaiveOutput): NaiveOperator {
  switch (step.kind) {
    case 'dedupe':
      return step.ids === 'set' ? naiveSet(step, out) : naiveRanges(step, out)
    case 'window':
      return new NaiveWindows(step, out)
    case 'hops':
    case 'session':
    case 'lots':
    case 'join':
    case 'asOf':
    case 'inOrder':
      return naiveTimed(step, out)
    case 'counter':
      return naiveCounter(step, out)
    case 'silence':
      return naiveSilence(step, out)
    case 'moves':
      return naiveMoves(step, out)
    case 'running': {
      let count = 0
      return {
        take(item, at) {
          count += 1
          out.emit({ ...item, n: (item.n + count) % mostNumber }, at)
        },
      }
    }
  }
}

function naiveSet({ name, ttlMs, throwsOn }: StepOf<'dedupe'>, out: NaiveOutput): NaiveOperator {
  const seen = new Map<string, number>()
  return {
    take(item, at) {
      if (throws(throwsOn, item)) return out.setAside(name)
      const id = `${item.key} ${item.id}`
      const before = seen.get(id)
      if (before !== undefined && before + ttlMs > out.watermark()) return
      seen.set(id, at)
      out.emit(item, at)
    },
  }
}

/** Ranges are forgotten on fixed steps of event time, so many in a time to live. */
const stepsPerTtl = 4

/** Ids of unbroken runs, each with the newest time at which one of them came. */
function naiveRanges({ name, ttlMs, throwsOn }: StepOf<'dedupe'>, out: NaiveOutput): NaiveOperator {
  const stepMs = Math.max(1, Math.floor(ttlMs / stepsPerTtl))
  const runs = new Map<string, { readonly ids: readonly number[]; readonly newest: number }[]>()
  return {
    take(item, at) {
      if (throws(throwsOn, item) || !isSound(item)) return out.setAside(name)
      const ofKey = runs.get(item.key) ?? []
      if (ofKey.some(({ ids }) => ids.includes(item.id))) return
      const isNext = ({ ids }: { readonly ids: readonly number[] }) => ids.some((id) => Math.abs(id - item.id) === 1)
      const joined = ofKey.filter(isNext)
      const run = {
        ids: [item.id, ...joined.flatMap(({ ids }) => ids)],
        newest: Math.max(at, ...joined.map(({ newest }) => newest)),
      }
      runs.set(item.key, [...ofKey.filter((one) => !isNext(one)), run])
      out.emit(item, at)
    },
    onMove(watermark, before) {
      if (Math.floor(watermark / stepMs) === Math.floor(before / stepMs)) return
      for (const [key, ofKey] of runs)
        runs.set(
          key,
          ofKey.filter(({ newest }) => newest + ttlMs > watermark),
        )
    },
  }
}

function naiveCounter({ name, throwsOn }: StepOf<'counter'>, out: NaiveOutput): NaiveOperator {
  const seen = new Map<string, { count: number; sum: number }>()
  return {
    take(item, at) {
      if (throws(throwsOn, item)) return out.setAside(name)
      const before = seen.get(item.key) ?? { count: 0, sum: 0 }
      const now = { count: before.count + 1, sum: before.sum + item.n }
      seen.set(item.key, now)
      out.emit({ ...item, n: (now.count + now.sum) % mostNumber }, at)
    },
  }
}

function naiveSilence({ afterMs }: StepOf<'silence'>, out: NaiveOutput): NaiveOperator {
  const due = new Map<string, number>()
  return {
    take(item, at) {
      due.set(item.key, at + afterMs)
      out.emit(item, at)
    },
    onMove(watermark, before) {
      const silent = [...due]
        .filter(([, time]) => time <= watermark)
        .sort(([a, at], [b, bt]) => at - bt || (a < b ? -1 : 1))
      for (const [key, time] of silent) {
        due.delete(key)
        const n = Math.abs(time) % mostNumber
        out.emit({ key, id: time, at: time, n, revision: 0, count: 1 }, Math.max(time, before + 1))
      }
    },
    isOpen: () => due.size > 0,
  }
}

function naiveMoves({ everyMs }: StepOf<'moves'>, out: NaiveOutput): NaiveOperator {
  let partition: string | null = null
  let moves = 0
  let last = 0
  return {
    take(item, at) {
      partition ??= item.key.slice(0, 1)
      out.emit(item, at)
    },
    onMove(watermark) {
      if (partition === null) return
      moves += 1
      const slot = Math.floor(watermark / everyMs)
      if (slot === last) return
      last = slot
      const item = { key: `${partition}moves`, id: slot, at: watermark, n: moves % mostNumber, revision: 0, count: 1 }
      out.emit(item, watermark)
    },
  }
}

interface NaiveWindow {
  readonly key: string
  readonly start: number
  /** The last ms in it. */
  readonly last: number
  revision: number
  /** Null before the first value that could be added. */
  totals: Totals | null
  /** False where a value has come since it was shown. */
  isShown: boolean
}

class NaiveWindows implements NaiveOperator {
  readonly #step: StepOf<'window'>
  readonly #out: NaiveOutput
  #open: NaiveWindow[] = []

  constructor(step: StepOf<'window'>, out: NaiveOutput) {
    this.#step = step
    this.#out = out
  }

  take(item: Item, at: number): void {
    const window = this.#fails('by', item) ? null : this.#windowOf(item, at)
    if (window === null) this.#out.setAside(this.#step.name)
    else this.#add(window, item)
  }

  /** Null where the item is late. */
  #windowOf({ key }: Item, at: number): NaiveWindow | null {
    const { sizeMs, allowedLatenessMs } = this.#step
    const start = Math.floor(at / sizeMs) * sizeMs
    const found = this.#open.find((one) => one.key === key && one.start === start)
    if (found !== undefined) return found
    const last = start + sizeMs - 1
    if (this.#out.watermark() >= last + allowedLatenessMs) return null
    const window = { key, start, last, revision: 0, totals: null, isShown: true }
    this.#open.push(window)
    return window
  }

  #add(window: NaiveWindow, item: Item): void {
    const { name } = this.#step
    if (this.#fails('step', item)) this.#out.setAside(name)
    else if (this.#fails('add', item)) this.#out.setAside(foldOf(name))
    else {
      window.totals = withItem(window.totals ?? noTotals(1), item)
      this.#showEarly(window)
    }
    if (this.#out.watermark() >= window.last) this.#fire(window)
  }

  #showEarly(window: NaiveWindow): void {
    const { early } = this.#step
    window.isShown = false
    // A window that is over when its first value comes is none that is open.
    if (early === undefined || window.last <= this.#out.watermark() || window.totals === null) return
    if ('everyValues' in early && countOf(window.totals) % early.everyValues === 0) this.#emit(window)
  }

  onMove(watermark: number, before: number): void {
    const inOrder = [...this.#open].sort((a, b) => a.last - b.last || (a.key < b.key ? -1 : 1))
    for (const window of inOrder) if (window.revision === 0 && window.last <= watermark) this.#fire(window)
    const { early } = this.#step
    if (
      early !== undefined &&
      'everyMs' in early &&
      Math.floor(watermark / early.everyMs) > Math.floor(before / early.everyMs)
    ) {
      for (const window of inOrder) {
        if (window.revision > 0 || window.isShown) continue
        window.isShown = true
        this.#emit(window)
      }
    }
    this.#open = this.#open.filter(({ last }) => last + this.#step.allowedLatenessMs > watermark)
  }

  isOpen(): boolean {
    return this.#open.some(({ revision }) => revision === 0)
  }

  onEnd(): void {
    if (this.#step.provisionalEveryMs === null) return
    for (const window of this.#open) if (window.revision === 0) this.#emit(window)
  }

  #fire(window: NaiveWindow): void {
    const { name } = this.#step
    window.revision += 1
    const { key, start, last } = window
    const fired = { key, id: start, at: last, n: ((last + 1) / 1_000) % mostNumber, revision: 0, count: 0 }
    if (this.#fails('step-on-fired', fired)) this.#out.setAside(name)
    else this.#emit(window)
  }

  #emit({ key, start, last, revision, totals }: NaiveWindow): void {
    if (totals === null) return
    const { name, sizeMs } = this.#step
    const count = countOf(totals)
    const n = Number((totals.sum + BigInt(totals.last.length)) % 89n)
    const item = { key, id: start / sizeMs, at: last, n, revision, count }
    if (this.#fails('result', item)) this.#out.setAside(foldOf(name))
    else this.#out.emit(item, last)
  }

  #fails(where: StepOf<'window'>['throwsIn'], item: Item): boolean {
    return this.#step.throwsIn === where && throws(this.#step.throwsOn, item)
  }
}
