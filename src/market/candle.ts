import type { Fixed8, Fixed16 } from '../exact/decimal.ts'
import type { Interval } from './interval.ts'
import type { Market } from './trade.ts'

/**
 * OHLCV of one symbol over one interval, `[openTime, openTime + interval)`. Key: market, symbol, interval, openTime.
 *
 * Exact: no float is involved. `open` and `close` are the prices of the first and the last trade, `high` and `low` the extremes between; prices and volumes are
 * counts of 1e-8, quote volumes counts of 1e-16.
 */
export interface Candle {
  readonly market: Market
  readonly symbol: string
  readonly interval: Interval
  /** ms UTC, a multiple of the interval. */
  readonly openTime: number
  readonly open: Fixed8
  readonly high: Fixed8
  readonly low: Fixed8
  readonly close: Fixed8
  /** Base asset. */
  readonly volume: Fixed8
  /** Sum of price × quantity, quote asset. */
  readonly quoteVolume: Fixed16
  /** How many trades the candle is made of. */
  readonly tradeCount: number
  /** The part of `volume` in which the taker bought. Base asset. */
  readonly takerBuyVolume: Fixed8
  /** The part of `quoteVolume` in which the taker bought. Quote asset. */
  readonly takerBuyQuoteVolume: Fixed16
  /** quoteVolume / volume, rounded once, half to even. */
  readonly vwap: Fixed8
  /** The smallest trade id in the candle. */
  readonly firstTradeId: number
  /** The largest trade id in the candle. */
  readonly lastTradeId: number
  /** False for a provisional candle, which a checkpoint cut made of the trades so far. */
  readonly isClosed: boolean
  /** 0 while provisional, 1 at the first close, one more for each correction within the allowed lateness. */
  readonly revision: number
}
