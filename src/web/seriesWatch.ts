import type pg from 'pg'
import { intervalMs } from '../market/interval.ts'
import { gapsOf, type StoredFeedGap } from '../queries/feedGaps.ts'
import type { ShownCandle } from './exactCandle.ts'
import { type IndicatorCandle, IndicatorOver } from './indicatorOf.ts'
import { isSame, KeptCandles } from './keptCandles.ts'
import { OpenCandle } from './openCandle.ts'
import type { SeriesName, WireCandle, WireGap, WireIndicator } from './protocol.ts'

/** How many candles are shown at once. */
export const shownCandles = 1_000
/** Before those, so that what looks back on all that came before is right from the first candle that is shown. */
export const warmUpCandles = 500

const gapsEveryMs = 2_000

/** What is to be told of a series. */
export interface SeriesNews {
  readonly isWhole: boolean
  readonly candles: readonly WireCandle[]
  readonly indicators: readonly WireIndicator[]
  readonly gaps: readonly WireGap[] | null
}

/**
 * The newest candles of one symbol and interval with their indicators, and the gaps of the feed: 1,500 candles. A longer candle that is open moves with the 1m candles in it.
 */
export class SeriesWatch {
  readonly #name: SeriesName
  readonly #indicators: readonly IndicatorOver[]
  readonly #kept: KeptCandles
  /** Null for 1m. */
  readonly #open: OpenCandle | null
  /** Newer than the row of the same candle; null where that is as new. */
  #composed: ShownCandle | null = null
  #gaps: readonly StoredFeedGap[] = []
  #hasLooked = false
  #gapsAt = Number.NEGATIVE_INFINITY

  /** @throws ConfigurationError on an indicator that is none */
  constructor(name: SeriesName, indicators: readonly string[]) {
    this.#name = name
    this.#indicators = indicators.map((text) => new IndicatorOver(text, name.interval))
    this.#kept = new KeptCandles(name, shownCandles + warmUpCandles)
    this.#open = name.interval === '1m' ? null : new OpenCandle(name)
  }

  /** Reads what may have changed; null where nothing has. */
  async look(pool: pg.Pool, now: number): Promise<SeriesNews | null> {
    const reach = this.#candles().at(-1)?.openTime ?? 0
    const { changed: stored, isLess } = await this.#kept.look(pool, now)
    const changed = this.#withComposed(stored, (await this.#open?.look(pool, now)) ?? null)
    if (!this.#hasLooked) {
      this.#hasLooked = true
      await this.#readGaps(pool, now)
      return this.whole()
    }
    const gaps = now - this.#gapsAt >= gapsEveryMs && (await this.#readGaps(pool, now))
    if (isLess) return this.whole()
    if (changed.length === 0 && !gaps) return null
    return {
      isWhole: false,
      candles: changed.map(wireCandle),
      indicators: this.#newValues(changed, reach, gaps),
      gaps: gaps ? this.#gaps.map(wireGap) : null,
    }
  }

  /** All of it, as last read. */
  whole(): SeriesNews {
    const candles = this.#candles().slice(-shownCandles)
    const first = candles[0]?.openTime ?? 0
    return {
      isWhole: true,
      candles: candles.map(wireCandle),
      indicators: this.#wholeValues(first),
      gaps: this.#gaps.map(wireGap),
    }
  }

  /** Those of the database, with the open one as it is by its minutes where that is newer. */
  #candles(): readonly ShownCandle[] {
    const { candles } = this.#kept
    const composed = this.#composed
    if (composed === null) return candles
    return [...candles.filter(({ openTime }) => openTime < composed.openTime), composed]
  }

  /** What has changed, in order of time; takes the open candle as its minutes have it. */
  #withComposed(stored: readonly ShownCandle[], composed: ShownCandle | null): readonly ShownCandle[] {
    const row = this.#kept.candles.findLast(({ openTime }) => openTime === composed?.openTime)
    const isNewer = composed !== null && (row === undefined || (!row.isClosed && composed.tradeCount > row.tradeCount))
    const before = this.#composed
    this.#composed = isNewer ? composed : null
    if (this.#composed === null && before === null) return stored
    const now = this.#composed ?? this.#kept.candles.findLast(({ openTime }) => openTime === before?.openTime)
    const others = stored.filter(({ openTime }) => openTime !== now?.openTime)
    if (now === undefined || (before !== null && before.openTime === now.openTime && isSame(before, now))) return others
    return [...others, now].sort((a, b) => a.openTime - b.openTime)
  }

  async #readGaps(pool: pg.Pool, now: number): Promise<boolean> {
    const [first] = this.#candles()
    if (first === undefined) return false
    const before = JSON.stringify(this.#gaps)
    this.#gaps = await gapsOf(pool, this.#name, first.openTime)
    this.#gapsAt = now
    return JSON.stringify(this.#gaps) !== before
  }

  #wholeValues(from: number): readonly WireIndicator[] {
    const candles = this.#candles().map((candle) => this.#withHoles(candle))
    return this.#indicators.map((indicator) => {
      const all = indicator.whole(candles)
      return { ...all, values: all.values.filter(([openTime]) => openTime >= from) }
    })
  }

  #newValues(changed: readonly ShownCandle[], reach: number, isAnew: boolean): readonly WireIndicator[] {
    if (this.#indicators.length === 0) return []
    if (isAnew || changed.some(({ openTime }) => openTime < reach)) {
      return this.#wholeValues(this.#candles().slice(-shownCandles)[0]?.openTime ?? 0)
    }
    const more = changed.map((candle) => this.#withHoles(candle))
    return this.#indicators.map((indicator) => indicator.more(more))
  }

  #withHoles(candle: ShownCandle): IndicatorCandle {
    const end = candle.openTime + intervalMs[this.#name.interval]
    const isComplete = !this.#gaps.some(({ fromTime, toTime }) => fromTime < end && toTime >= candle.openTime)
    return { candle, isComplete }
  }
}

export function wireCandle(candle: ShownCandle): WireCandle {
  const { openTime, open, high, low, close, volume, tradeCount, isClosed, revision } = candle
  return [openTime, open, high, low, close, volume, tradeCount, isClosed ? 1 : 0, revision]
}

export function wireGap({ fromTime, toTime, state, missing }: StoredFeedGap): WireGap {
  return { from: fromTime, to: toTime, state, missing }
}
