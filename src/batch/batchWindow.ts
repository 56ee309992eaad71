import type pg from 'pg'
import type { Quality } from '../quality/quality.ts'
import type { Seen } from '../quality/sight.ts'

/** Minutes of a symbol: those whose open time is at or after `from` and before `to`, ms UTC. */
export interface BatchWindow {
  readonly market: string
  readonly symbol: string
  readonly from: number
  readonly to: number
}

/** What stands between silver and gold. */
export interface QualityBoundary {
  /** What is expected of the minutes: a pass looks at those that it reads itself, and tells what it has seen. Null for nothing that it could know of. */
  readonly expects: Quality | null
  /**
   * Judges the minutes of silver in these windows before gold is made of them, in the transaction of the pass, and gives those windows that nothing may be made of.
   * @param windows hours that have rows
   * @param run whose verdict it is, and when; `emptied` are hours that were judged before, or have changed, and have no rows any more; `seen` is what the pass has seen of rows that it has read
   */
  judge(
    client: pg.ClientBase,
    windows: readonly BatchWindow[],
    run: {
      readonly runId: string
      readonly now: number
      readonly emptied: readonly BatchWindow[]
      readonly seen: Seen | null
    },
  ): Promise<readonly BatchWindow[]>
}

/** The windows as arrays of SQL: market, symbol, from and to in ms. */
export function windowValues(windows: readonly BatchWindow[]): readonly unknown[] {
  return [
    windows.map(({ market }) => market),
    windows.map(({ symbol }) => symbol),
    windows.map(({ from }) => from),
    windows.map(({ to }) => to),
  ]
}

/** The same minutes in as few windows as there can be. */
export function merged(windows: readonly BatchWindow[]): BatchWindow[] {
  const sorted = [...windows].sort(
    (a, b) => compare(a.market, b.market) || compare(a.symbol, b.symbol) || a.from - b.from,
  )
  const result: BatchWindow[] = []
  for (const window of sorted) {
    const last = result.at(-1)
    if (last?.market === window.market && last.symbol === window.symbol && window.from <= last.to)
      result[result.length - 1] = { ...last, to: Math.max(last.to, window.to) }
    else result.push(window)
  }
  return result
}

const dayMs = 86_400_000

/** The same minutes in windows of which none goes beyond midnight UTC. */
export function byDay(windows: readonly BatchWindow[]): BatchWindow[] {
  return windows.flatMap((window) => {
    const days: BatchWindow[] = []
    for (let { from } = window; from < window.to; ) {
      const midnight = (Math.floor(from / dayMs) + 1) * dayMs
      days.push({ ...window, from, to: Math.min(midnight, window.to) })
      from = midnight
    }
    return days
  })
}

/** Whether they have a minute in common. */
export function overlap(one: BatchWindow, other: BatchWindow): boolean {
  return one.market === other.market && one.symbol === other.symbol && one.from < other.to && one.to > other.from
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
