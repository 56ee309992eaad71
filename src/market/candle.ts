import type { Fixed8, Fixed16 } from './decimal.ts'
import type { Interval } from './interval.ts'
import type { Market } from './trade.ts'

/** OHLCV of one symbol over one interval, `[openTime, openTime + interval)`. Key: market, symbol, interval, openTime. */
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
  readonly tradeCount: number
  readonly takerBuyVolume: Fixed8
  readonly takerBuyQuoteVolume: Fixed16
  /** quoteVolume / volume, rounded once, half to even. */
  readonly vwap: Fixed8
  readonly firstTradeId: number
  readonly lastTradeId: number
  /** False for a provisional candle, which a checkpoint cut made of the trades so far. */
  readonly isClosed: boolean
  /** 0 while provisional, 1 at the first close, one more for each correction within the allowed lateness. */
  readonly revision: number
}
