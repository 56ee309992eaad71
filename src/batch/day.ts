import type { BatchWindow } from './batchWindow.ts'

const dayMs = 86_400_000

/** A day (UTC) of a symbol. */
export interface Day {
  readonly market: string
  readonly symbol: string
  /** Its midnight, ms UTC. */
  readonly day: number
}

/** The days that these windows are in, each once, in their order. */
export function daysOf(windows: readonly BatchWindow[]): readonly Day[] {
  const days = new Map<string, Day>()
  for (const { market, symbol, from } of windows) {
    const day = Math.floor(from / dayMs) * dayMs
    days.set(`${market} ${symbol} ${day}`, { market, symbol, day })
  }
  return [...days.values()].sort((a, b) => a.day - b.day)
}

/** The days as rows of SQL, of the first three parameters, which `dayValues` gives. */
export const daysGiven = `unnest($1::text[], $2::text[], $3::float8[]) AS given (market, symbol, day_ms)`

/** That an open_time is in such a day. */
export const inDay = `open_time >= timestamptz 'epoch' + day_ms * interval '1 millisecond' AND open_time < timestamptz 'epoch' + (day_ms + ${dayMs}) * interval '1 millisecond'`

/** @see daysGiven */
export function dayValues(days: readonly Day[]): unknown[] {
  return [days.map(({ market }) => market), days.map(({ symbol }) => symbol), days.map(({ day }) => day)]
}
