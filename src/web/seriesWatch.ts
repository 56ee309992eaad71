import type pg from 'pg'
import { intervalMs } from '../market/interval.ts'
import { closedMark, readNewestCandles, type StoredCandle } from '../queries/candles.ts'
import { gapsOf, type StoredFeedGap } from '../queries/feedGaps.ts'
import { type IndicatorCandle, IndicatorOver } from './indicatorOf.ts'
import type { SeriesName, WireCandle, WireGap, WireIndicator } from './protocol.ts'

/** How many candles are shown at once. */
export const shownCandles = 1_000
/** Before those, so that what looks back on all that came before is right from the first candle that is shown. */
export const warmUpCandles = 500

const closedEveryMs = 1_000
const gapsEveryMs = 2_000

/** What is to be told of a series. */
export interface SeriesNews {
  readonly isWhole: boolean
  readonly candles: readonly WireCandle[]
  readonly indicators: readonly WireIndicator[]
  readonly gaps: readonly WireGap[] | null
}

/**
 * The newest candles of one symbol and interval with their indicators, kept as they are in the database: 1,500 candles, and the gaps of the feed. A look reads the end
 * of the series, and once a second a sum over the closed candles, which says whether one of them was corrected.
 */
export class SeriesWatch {
  readonly #name: SeriesName
  readonly #indicators: readonly IndicatorOver[]
  #candles: StoredCandle[] = []
  #gaps: readonly StoredFeedGap[] = []
  #hasLooked = false
  #closedAt = Number.NEGATIVE_INFINITY
  #gapsAt = Number.NEGATIVE_INFINITY

  /** @throws ConfigurationError on an indicator that is none */
  constructor(name: SeriesName, indicators: readonly string[]) {
    this.#name = name
    this.#indicators = indicators.map((text) => new IndicatorOver(text, name.interval))
  }

  /** Reads what may have changed; null where nothing has. */
  async look(pool: pg.Pool, now: number): Promise<SeriesNews | null> {
    if (!this.#hasLooked) {
      await this.#readAll(pool, now)
      this.#hasLooked = true
      return this.whole()
    }
    const newest = this.#candles.at(-1)
    const from = newest === undefined ? null : newest.openTime - 2 * intervalMs[this.#name.interval]
    const tail = await readNewestCandles(pool, { ...this.#name, from, to: null }, shownCandles + warmUpCandles)
    let changed = this.#merge(tail)
    let isBehind = false
    if (now - this.#closedAt >= closedEveryMs) {
      this.#closedAt = now
      if (await this.#isCorrected(pool)) {
        changed = [...changed, ...this.#merge(await this.#readWindow(pool))]
        isBehind = true
      }
    }
    const gaps = now - this.#gapsAt >= gapsEveryMs && (await this.#readGaps(pool, now))
    if (changed.length === 0 && !gaps) return null
    return {
      isWhole: false,
      candles: changed.map(wireCandle),
      indicators: this.#newValues(changed, newest, isBehind || gaps),
      gaps: gaps ? this.#gaps.map(wireGap) : null,
    }
  }

  /** All of it, as last read. */
  whole(): SeriesNews {
    const candles = this.#candles.slice(-shownCandles)
    const first = candles[0]?.openTime ?? 0
    return {
      isWhole: true,
      candles: candles.map(wireCandle),
      indicators: this.#wholeValues(first),
      gaps: this.#gaps.map(wireGap),
    }
  }

  async #readAll(pool: pg.Pool, now: number): Promise<void> {
    this.#candles = [...(await this.#readWindow(pool))]
    this.#closedAt = now
    await this.#readGaps(pool, now)
  }

  #readWindow(pool: pg.Pool): Promise<readonly StoredCandle[]> {
    return readNewestCandles(pool, { ...this.#name, from: null, to: null }, shownCandles + warmUpCandles)
  }

  async #readGaps(pool: pg.Pool, now: number): Promise<boolean> {
    const first = this.#candles[0]
    if (first === undefined) return false
    const before = JSON.stringify(this.#gaps)
    this.#gaps = await gapsOf(pool, this.#name, first.openTime)
    this.#gapsAt = now
    return JSON.stringify(this.#gaps) !== before
  }

  async #isCorrected(pool: pg.Pool): Promise<boolean> {
    const [first] = this.#candles
    const last = this.#candles.at(-1)
    if (first === undefined || last === undefined) return false
    const range = { ...this.#name, from: first.openTime, to: last.openTime }
    const there = await closedMark(pool, range)
    const known = this.#candles.filter(({ openTime, isClosed }) => isClosed && openTime < last.openTime)
    const here = {
      candles: known.length,
      revisions: known.reduce((sum, { revision }) => sum + revision, 0),
      trades: known.reduce((sum, { tradeCount }) => sum + tradeCount, 0),
    }
    return there.candles !== here.candles || there.revisions !== here.revisions || there.trades !== here.trades
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
    const surplus = this.#candles.length - shownCandles - warmUpCandles
    if (surplus > 0) this.#candles.splice(0, surplus)
    return changed
  }

  /** Where a candle of this time stands, or would stand. */
  #placeOf(openTime: number): number {
    let at = this.#candles.length
    while (at > 0 && (this.#candles[at - 1] as StoredCandle).openTime >= openTime) at -= 1
    return at
  }

  #wholeValues(from: number): readonly WireIndicator[] {
    const candles = this.#candles.map((candle) => this.#withHoles(candle))
    return this.#indicators.map((indicator) => {
      const all = indicator.whole(candles)
      return { ...all, values: all.values.filter(([openTime]) => openTime >= from) }
    })
  }

  #newValues(
    changed: readonly StoredCandle[],
    newest: StoredCandle | undefined,
    isBehind: boolean,
  ): readonly WireIndicator[] {
    if (this.#indicators.length === 0) return []
    const reach = newest?.openTime ?? 0
    if (isBehind || changed.some(({ openTime }) => openTime < reach)) {
      return this.#wholeValues((this.#candles.slice(-shownCandles)[0] as StoredCandle | undefined)?.openTime ?? 0)
    }
    const more = changed.map((candle) => this.#withHoles(candle))
    return this.#indicators.map((indicator) => indicator.more(more))
  }

  #withHoles(candle: StoredCandle): IndicatorCandle {
    const end = candle.openTime + intervalMs[this.#name.interval]
    const isComplete = !this.#gaps.some(({ fromTime, toTime }) => fromTime < end && toTime >= candle.openTime)
    return { candle, isComplete }
  }
}

export function wireCandle(candle: StoredCandle): WireCandle {
  const { openTime, open, high, low, close, volume, tradeCount, isClosed, revision } = candle
  return [openTime, open, high, low, close, volume, tradeCount, isClosed ? 1 : 0, revision]
}

export function wireGap({ fromTime, toTime, state, missing }: StoredFeedGap): WireGap {
  return { from: fromTime, to: toTime, state, missing }
}

function isSame(a: StoredCandle, b: StoredCandle): boolean {
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
