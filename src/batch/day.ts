import { type BatchWindow, byDay } from './batchWindow.ts'

const dayMs = 86_400_000
/** So many days of a symbol are made at once. */
export const daysAtOnce = 12

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

/** Some days of symbols, and what is to be looked at in them. */
export interface Part {
  readonly days: readonly Day[]
  readonly windows: readonly BatchWindow[]
}

/**
 * The windows as parts of at most so many days of a symbol, the newest days first: whoever asks for the newest minute of a symbol while some parts are done finds it. Every minute of a day is in one part, and so is a day of all
 * symbols, where they are no more than that.
 */
export function partsOf(windows: readonly BatchWindow[], daysAtOnce: number): readonly Part[] {
  const ofDay = Map.groupBy(byDay(windows), nameOfDay)
  const days = daysOf(byDay(windows)).toReversed()
  const parts: Day[][] = []
  for (const ofAll of Map.groupBy(days, ({ day }) => day).values()) {
    for (const some of inChunks(ofAll, daysAtOnce)) {
      const last = parts.at(-1)
      if (last === undefined || last.length + some.length > daysAtOnce) parts.push([...some])
      else last.push(...some)
    }
  }
  return parts.map((some) => ({
    days: some,
    windows: some.flatMap((day) => ofDay.get(nameOfDay({ ...day, from: day.day })) ?? []),
  }))
}

/** The day that a window begins in, by a name of its own. */
export function nameOfDay({ market, symbol, from }: Pick<BatchWindow, 'market' | 'symbol' | 'from'>): string {
  return `${market} ${symbol} ${Math.floor(from / dayMs)}`
}

/** The days as windows. */
export function wholeDays(days: readonly Day[]): readonly BatchWindow[] {
  return days.map(({ market, symbol, day }) => ({ market, symbol, from: day, to: day + dayMs }))
}

/** So many at a time, in their order. */
export function inChunks<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}

/** The days as rows of SQL, of the first three parameters, which `dayValues` gives. */
export const daysGiven = `unnest($1::text[], $2::text[], $3::float8[]) AS given (market, symbol, day_ms)`

/** That an open_time is in such a day. */
export const inDay = `open_time >= timestamptz 'epoch' + day_ms * interval '1 millisecond' AND open_time < timestamptz 'epoch' + (day_ms + ${dayMs}) * interval '1 millisecond'`

/** @see daysGiven */
export function dayValues(days: readonly Day[]): unknown[] {
  return [days.map(({ market }) => market), days.map(({ symbol }) => symbol), days.map(({ day }) => day)]
}
