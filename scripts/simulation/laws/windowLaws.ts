import { map, pipe } from 'rxjs'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { hoppingWindow } from '../../../src/operators/hoppingWindow.ts'
import { topN } from '../../../src/operators/topN.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { Json } from '../../../src/runtime/json.ts'
import { Withdrawn } from '../../../src/runtime/withdrawn.ts'
import {
  byKey,
  type Law,
  type LawCase,
  type LawValue,
  lateText,
  onReject,
  type Row,
  steps,
  timeByHand,
  withTimes,
} from './law.ts'

interface Hops {
  readonly sizeMs: number
  readonly hopMs: number
  readonly allowedLatenessMs: number
}

/** The sum of values, how many they are, and the last of them by n. */
export const summed = (name: string) =>
  aggregateWindow<LawValue, { readonly sum: number; readonly count: number }, Row>({
    name,
    initial: () => ({ sum: 0, count: 0 }),
    add: ({ sum, count }, { n }) => ({ sum: sum + n, count: count + 1 }),
    merge: (a, b) => ({ sum: a.sum + b.sum, count: a.count + b.count }),
    result: ({ sum, count }, { key, start, end }, { revision }) => [key, start, end, sum, count, revision],
  })

export function summaryOf(values: readonly LawValue[]): readonly [sum: number, count: number] {
  return [values.reduce((sum, { n }) => sum + n, 0), values.length]
}

/** Results and what takes them back as rows that say which of the two they are. */
export const asRows = map(
  (result: Row | Withdrawn<Row>): Row =>
    result instanceof Withdrawn ? ['withdrawn', ...result.row] : ['row', ...result],
)

/** What such rows leave in a table whose key they begin with; without revisions, which count the ways to it. */
export const settled = (keyLength: number) => (rows: readonly Row[]) => {
  const left = new Map<string, Row>()
  for (const row of rows) {
    const key = JSON.stringify(row.slice(1, 1 + keyLength))
    if (row[0] === 'withdrawn') left.delete(key)
    else left.set(key, row.slice(0, -1))
  }
  return [...left.values()]
}

/** Every window by its key and start, with all that it took. */
class NaiveWindows {
  readonly windows = new Map<
    string,
    { key: string; start: number; end: number; values: LawValue[]; revision: number; shown: readonly Row[] }
  >()

  take(value: LawValue, start: number, end: number) {
    const id = `${value.key}@${start}`
    const one = this.windows.get(id) ?? { key: value.key, start, end, values: [], revision: 0, shown: [] }
    this.windows.set(id, one)
    one.values.push(value)
    return one
  }
}

function startsOf(at: number, { sizeMs, hopMs }: Hops): number[] {
  const starts: number[] = []
  for (let start = at - sizeMs + 1; start <= at; start++) if (start % hopMs === 0) starts.push(start === 0 ? 0 : start)
  return starts
}

/** @param identityOf which row of a window is which, where those are taken back that a correction leaves no place for */
function defineHopping(
  hops: Hops,
  rowOf: (values: readonly LawValue[]) => readonly Row[],
  identityOf?: (row: Row) => Json,
): LawCase['define'] {
  const { sizeMs, allowedLatenessMs } = hops
  const greatest = (a: number, b: number): number => (b === 0 ? a : greatest(b, a % b))
  const paneMs = greatest(hops.sizeMs, hops.hopMs)
  return (events, isEnded) => {
    const naive = new NaiveWindows()
    const rows: Row[] = []
    const late: string[] = []
    let now = Number.NEGATIVE_INFINITY
    const isOver = (end: number) => now >= end - 1 + allowedLatenessMs
    const fire = (one: ReturnType<NaiveWindows['take']>) => {
      one.revision += 1
      const now = rowOf(one.values)
      const shown = (row: Row) => [one.key, one.start, one.end, ...row, one.revision]
      if (identityOf === undefined) rows.push(...now.map(shown))
      else {
        const left = new Set(now.map(identityOf))
        const gone = one.revision === 1 ? [] : one.shown.filter((row) => !left.has(identityOf(row)))
        rows.push(...gone.map((row) => ['withdrawn', ...shown(row)]), ...now.map((row) => ['row', ...shown(row)]))
      }
      one.shown = now
    }
    for (const { value, before, watermark } of steps(events, isEnded)) {
      now = watermark
      if (value === null) {
        for (const one of naive.windows.values()) if (one.end - 1 > before && one.end - 1 <= watermark) fire(one)
        continue
      }
      const starts = startsOf(value.at, hops)
      const open = starts.filter((start) => !isOver(start + sizeMs))
      if (open.length === 0) late.push(lateText('late', value))
      else if (open.length < starts.length) late.push(lateText('partly-late', value))
      for (const start of open) {
        const one = naive.take(value, start, start + sizeMs)
        if (one.end - 1 <= watermark) fire(one)
      }
    }
    const all = [...naive.windows.values()]
    const panes = new Set(
      all.flatMap(({ values }) =>
        values
          .filter(({ at }) => startsOf(Math.floor(at / paneMs) * paneMs, hops).some((start) => !isOver(start + sizeMs)))
          .map(({ key, at }) => `${key}@${Math.floor(at / paneMs)}`),
      ),
    )
    const corrigible = all.filter(({ end }) => end - 1 <= now && !isOver(end))
    return { rows, late, kept: 2 * panes.size + corrigible.length }
  }
}

export const hoppingLaw: Law = {
  operator: 'hoppingWindow',
  draw(random) {
    const sizeMs = random.int(1, 12)
    const hops = { sizeMs, hopMs: random.int(1, sizeMs), allowedLatenessMs: random.pick([0, 0, random.int(1, 10)]) }
    return {
      text: JSON.stringify(hops),
      chain: pipe(
        timeByHand,
        hoppingWindow({ name: 'windows', by: byKey, ...hops, onReject }),
        summed('fold'),
        withTimes,
      ),
      define: defineHopping(hops, (values) => [summaryOf(values)]),
      isOrderFree: hops.allowedLatenessMs === 0,
      isInTime: hops.allowedLatenessMs === 0,
    }
  },
}

export const tumblingLaw: Law = {
  operator: 'tumblingWindow',
  draw(random) {
    const sizeMs = random.int(1, 12)
    const allowedLatenessMs = random.pick([0, 0, random.int(1, 10)])
    const hops = { sizeMs, hopMs: sizeMs, allowedLatenessMs }
    const define = defineHopping(hops, (values) => [summaryOf(values)])
    const chain = pipe(
      timeByHand,
      tumblingWindow({ name: 'windows', by: byKey, sizeMs, allowedLatenessMs, onReject }),
      summed('fold'),
      withTimes,
    )
    // It keeps an entry a window, whether that has fired or not.
    const isOver = (end: number, now: number) => now >= end - 1 + allowedLatenessMs
    return {
      text: JSON.stringify(hops),
      chain,
      define(events, isEnded) {
        const told = define(events, isEnded)
        const all = [...steps(events, isEnded)]
        const now = all.at(-1)?.watermark ?? Number.NEGATIVE_INFINITY
        const ends = all.flatMap(({ value, watermark }) => {
          if (value === null) return []
          const end = Math.floor(value.at / sizeMs) * sizeMs + sizeMs
          return isOver(end, watermark) || isOver(end, now) ? [] : [`${value.key}@${end}`]
        })
        return { ...told, kept: 2 * new Set(ends).size }
      },
      isOrderFree: allowedLatenessMs === 0,
      isInTime: allowedLatenessMs === 0,
    }
  },
}

export const topLaw: Law = {
  operator: 'topN',
  draw(random) {
    const sizeMs = random.int(1, 12)
    const allowedLatenessMs = random.pick([0, random.int(1, 10)])
    const hops = { sizeMs, hopMs: random.int(1, sizeMs), allowedLatenessMs }
    const n = random.int(1, 3)
    const isBetter = (a: LawValue, b: LawValue) => b.n - a.n || (tieOf(a) < tieOf(b) ? -1 : 1)
    const ranked = topN<LawValue, Row>({
      name: 'fold',
      n,
      of: (value) => value.n,
      tie: tieOf,
      result: (top, { key, start, end }, { revision }) =>
        top.map((value, i) => [key, start, end, tieOf(value), i + 1, revision]),
      withdrawBy: ([, , , tie]) => String(tie),
    })
    return {
      text: JSON.stringify({ ...hops, n }),
      chain: pipe(
        timeByHand,
        hoppingWindow({ name: 'windows', by: byKey, ...hops, onReject }),
        ranked,
        asRows,
        withTimes,
      ),
      define: defineHopping(
        hops,
        (values) =>
          values
            .toSorted(isBetter)
            .slice(0, n)
            .map((value, i) => [tieOf(value), i + 1]),
        ([tie]) => tie ?? null,
      ),
      isOrderFree: allowedLatenessMs === 0,
      settled: settled(4),
      isInTime: allowedLatenessMs === 0,
    }
  },
}

const tieOf = ({ key, at, n }: LawValue) => `${key} ${at} ${n}`
