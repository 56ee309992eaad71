import type pg from 'pg'
import { intervalMs } from '../market/interval.ts'
import { type CandleRange, closedMark, readNewestCandles, type StoredCandle } from '../queries/candles.ts'
import type { ShownCandle } from './exactCandle.ts'

const closedEveryMs = 1_000

/** What a look has found. */
export interface CandleNews {
  /** New, or not as they were, in order of time. */
  readonly changed: readonly StoredCandle[]
  /** True where candles are gone, such as by retention. */
  readonly isLess: boolean
}

/**
 * The newest candles of one series, as they are in the database. A look reads the end of them, and once a second a sum over the closed ones, which says whether one of them was
 * corrected or is gone; then it reads all of them again.
 */
export class KeptCandles {
  readonly #range: Omit<CandleRange, 'from' | 'to'>
  readonly #most: number
  #candles: StoredCandle[] = []
  #hasLooked = false
  #closedAt = Number.NEGATIVE_INFINITY

  /** @param most how many are kept */
  constructor({ market, symbol, interval }: Omit<CandleRange, 'from' | 'to'>, most: number) {
    this.#range = { market, symbol, interval }
    this.#most = most
  }

  /** In order of time. */
  get candles(): readonly StoredCandle[] {
    return this.#candles
  }

  async look(pool: pg.Pool, now: number): Promise<CandleNews> {
    if (!this.#hasLooked) {
      this.#hasLooked = true
      this.#closedAt = now
      return this.#takeAll(await this.#read(pool, null))
    }
    const newest = this.#candles.at(-1)
    const from = newest === undefined ? null : newest.openTime - 2 * intervalMs[this.#range.interval]
    const changed = this.#merge(await this.#read(pool, from))
    if (now - this.#closedAt < closedEveryMs) return { changed, isLess: false }
    this.#closedAt = now
    if (await this.#isAsClosed(pool)) return { changed, isLess: false }
    const { changed: older, isLess } = this.#takeAll(await this.#read(pool, null))
    const all = [...older, ...changed.filter(({ openTime }) => !older.some((one) => one.openTime === openTime))]
    return { changed: all.sort((a, b) => a.openTime - b.openTime), isLess }
  }

  #read(pool: pg.Pool, from: number | null): Promise<readonly StoredCandle[]> {
    return readNewestCandles(pool, { ...this.#range, from, to: null }, this.#most)
  }

  /** Whether the closed candles are those that are kept. */
  async #isAsClosed(pool: pg.Pool): Promise<boolean> {
    const [first] = this.#candles
    const last = this.#candles.at(-1)
    if (first === undefined || last === undefined) return true
    const there = await closedMark(pool, { ...this.#range, from: first.openTime, to: last.openTime })
    const known = this.#candles.filter(({ openTime, isClosed }) => isClosed && openTime < last.openTime)
    return (
      there.candles === known.length &&
      there.revisions === known.reduce((sum, { revision }) => sum + revision, 0) &&
      there.trades === known.reduce((sum, { tradeCount }) => sum + tradeCount, 0)
    )
  }

  /** In place of all that is kept. */
  #takeAll(read: readonly StoredCandle[]): CandleNews {
    const before = new Map(this.#candles.map((candle) => [candle.openTime, candle]))
    const first = read[0]?.openTime ?? Number.POSITIVE_INFINITY
    const there = new Set(read.map(({ openTime }) => openTime))
    const surplus = Math.max(0, before.size + read.filter(({ openTime }) => !before.has(openTime)).length - this.#most)
    const gone = [...before.keys()].filter((openTime) => !there.has(openTime))
    this.#candles = [...read]
    return {
      changed: read.filter((candle) => {
        const known = before.get(candle.openTime)
        return known === undefined || !isSame(known, candle)
      }),
      // What the newer ones have pushed out of the window is not gone.
      isLess: gone.length > surplus || gone.some((openTime) => openTime > first),
    }
  }

  /** Takes what was read, in order of time; gives what is new or has changed. */
  #merge(read: readonly StoredCandle[]): StoredCandle[] {
    const changed: StoredCandle[] = []
    for (const candle of read) {
      const at = this.#placeOf(candle.openTime)
      const known = this.#candles[at]
      if (known?.openTime !== candle.openTime) {
        // One that is older than all that is kept has left the window.
        if (at === 0 && this.#candles.length > 0) continue
        this.#candles.splice(at, 0, candle)
        changed.push(candle)
      } else if (!isSame(known, candle)) {
        this.#candles[at] = candle
        changed.push(candle)
      }
    }
    const surplus = this.#candles.length - this.#most
    if (surplus > 0) this.#candles.splice(0, surplus)
    return changed
  }

  /** Where a candle of this time stands, or would stand. */
  #placeOf(openTime: number): number {
    let at = this.#candles.length
    while (at > 0 && (this.#candles[at - 1] as StoredCandle).openTime >= openTime) at -= 1
    return at
  }
}

export function isSame(a: ShownCandle, b: ShownCandle): boolean {
  return (
    a.revision === b.revision &&
    a.tradeCount === b.tradeCount &&
    a.isClosed === b.isClosed &&
    a.close === b.close &&
    a.volume === b.volume &&
    a.high === b.high &&
    a.low === b.low
  )
}
