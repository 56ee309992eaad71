import type pg from 'pg'
import { addFixed8, type Fixed8, formatFixed } from '../exact/decimal.ts'
import { type Interval, intervalMs } from '../market/interval.ts'
import { exactCandle, type ShownCandle } from './exactCandle.ts'
import { KeptCandles } from './keptCandles.ts'
import type { SeriesName } from './protocol.ts'

/**
 * The candle of a longer interval that is open now, composed of the 1m candles in it: those are written several times a second, and its own row once. Keeps the 1m candles of one interval, 1,440 at most.
 */
export class OpenCandle {
  readonly #interval: Interval
  readonly #minutes: KeptCandles
  #composed: ShownCandle | null = null

  constructor({ market, symbol, interval }: SeriesName) {
    this.#interval = interval
    this.#minutes = new KeptCandles({ market, symbol, interval: '1m' }, intervalMs[interval] / intervalMs['1m'])
  }

  /** Reads what may have changed; gives the candle as it is now, or null where there is no 1m candle. */
  async look(pool: pg.Pool, now: number): Promise<ShownCandle | null> {
    const { changed, isLess } = await this.#minutes.look(pool, now)
    if (changed.length > 0 || isLess) this.#composed = composed(this.#minutes.candles, this.#interval)
    return this.#composed
  }
}

/** The candle that the newest of the 1m candles is in, of all of them that are in it. */
function composed(minutes: readonly ShownCandle[], interval: Interval): ShownCandle | null {
  const newest = minutes.at(-1)
  if (newest === undefined) return null
  const openTime = Math.floor(newest.openTime / intervalMs[interval]) * intervalMs[interval]
  const parts = minutes.filter((minute) => minute.openTime >= openTime)
  const exact = parts.map(exactCandle)
  const [first] = parts
  let [high, low]: [Fixed8, Fixed8] = [0, 0]
  let volume: Fixed8 = 0
  let quoteVolume = 0n
  for (const [i, part] of exact.entries()) {
    if (part === null) return null
    if (i === 0 || part.high > high) high = part.high
    if (i === 0 || part.low < low) low = part.low
    volume = addFixed8(volume, part.volume)
    quoteVolume += part.quoteVolume
  }
  return {
    openTime,
    open: first?.open ?? newest.open,
    high: formatFixed(high, 8, 8),
    low: formatFixed(low, 8, 8),
    close: newest.close,
    volume: formatFixed(volume, 8, 8),
    quoteVolume: formatFixed(quoteVolume, 16, 16),
    tradeCount: parts.reduce((sum, { tradeCount }) => sum + tradeCount, 0),
    isClosed: false,
    revision: 0,
  }
}
