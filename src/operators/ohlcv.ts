import type { OperatorFunction } from 'rxjs'
import { addFixed8, type Fixed8, isFixed8, ProductSum, toFixed8 } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { Market } from '../market/trade.ts'
import { vwap } from '../market/vwap.ts'
import type { Duration } from '../runtime/duration.ts'
import type { Json } from '../runtime/json.ts'
import type { StateCodec } from '../runtime/keyedState.ts'
import { checkOptions, type OptionRules, optional } from '../runtime/options.ts'
import { type EarlyResults, earlyRule } from './earlyResults.ts'
import { foldWindows } from './foldWindows.ts'
import type { WindowElement } from './window.ts'

/** What `ohlcv` folds: put `tumblingWindow` over a stream of trades above it. `Trade` is one. */
export interface TradeForOhlcv {
  readonly market: Market
  readonly symbol: string
  /** Decides which of two trades of the same ms came first. */
  readonly tradeId: number
  /** Counts of 1e-8, not negative. */
  readonly price: Fixed8
  /** Counts of 1e-8, positive. */
  readonly quantity: Fixed8
  /** ms UTC. */
  readonly tradeTime: number
  /** True when the buyer's order was resting, so that the taker sold. */
  readonly isBuyerMaker: boolean
}

/** How `ohlcv` shows candles that are still open. */
export interface OhlcvOptions {
  /** Unique in a pipeline; `ohlcv` if left out. */
  readonly name?: string
  /** Emits the open candles at checkpoint cuts, each at most once in this time (ms, or text such as `'1s'`). None if left out. */
  readonly provisionalEveryMs?: Duration
  /** Emits the open candles by the data: each after every so many trades, or at the next multiples of a time where it has changed. None if left out. */
  readonly early?: EarlyResults
}

const rules: OptionRules<OhlcvOptions> = {
  name: optional.text,
  provisionalEveryMs: optional.duration,
  early: earlyRule,
}

/**
 * Makes one candle of the trades in each window; the window's name is the candle's interval.
 *
 * Open and close are the first and the last trade by (trade time, trade id), not by arrival, and all sums are exact. Keeps about 200 bytes a window, until its
 * allowed lateness is over; they are part of the checkpoint. A correction is the whole candle again with a higher revision.
 * A crash neither loses a trade nor counts one twice.
 * @throws ConfigurationError on options out of range
 */
export function ohlcv(options: OhlcvOptions = {}): OperatorFunction<WindowElement<TradeForOhlcv>, Candle> {
  checkOptions('ohlcv', options, rules)
  return foldWindows<TradeForOhlcv, CandleSum, Candle>(
    {
      name: options.name ?? 'ohlcv',
      shape: 'ohlcv',
      migrate: (saved, shape) => (shape === null ? saved : undefined),
      provisionalEveryMs: options.provisionalEveryMs,
      early: options.early,
    },
    {
      takesLent: true,
      create: (first) => {
        if (!isFixed8(first.price)) throw notCounts(first)
        return new CandleSum(first)
      },
      add: (sum, trade) => sum.add(trade),
      results: (sum, window, fired) => [(sum as CandleSum).candle(window.name as Interval, window.start, fired)],
      state: { encode: (sum) => sum.encode(), decode: decodeCandleSum },
    },
  )
}

/**
 * Every number has a first value where it is declared: a field that is undefined first, if only for a moment, gets a new object on the heap with each number
 * that is not small, and one that starts as a number is changed in place.
 */
class CandleSum {
  readonly market: Market
  readonly symbol: string
  open: Fixed8 = 0
  openedAt = 0
  high: Fixed8 = 0
  low: Fixed8 = 0
  close: Fixed8 = 0
  closedAt = 0
  firstTradeId = 0
  lastTradeId = 0
  volume: Fixed8 = 0
  takerBuyVolume: Fixed8 = 0
  tradeCount = 0
  /** Trade ids that decide between trades of the same ms. */
  openId = 0
  closeId = 0
  quote = new ProductSum()
  takerBuyQuote = new ProductSum()

  constructor(first: TradeForOhlcv) {
    this.market = first.market
    this.symbol = first.symbol
    this.open = this.high = this.low = this.close = first.price
    this.openedAt = this.closedAt = first.tradeTime
    this.firstTradeId = this.lastTradeId = this.openId = this.closeId = first.tradeId
  }

  add(trade: TradeForOhlcv): this {
    const { price, quantity, tradeTime, tradeId } = trade
    if (!isFixed8(price) || !isFixed8(quantity)) throw notCounts(trade)
    if (tradeTime > this.closedAt || (tradeTime === this.closedAt && tradeId > this.closeId)) {
      this.close = price
      this.closedAt = tradeTime
      this.closeId = tradeId
    } else if (tradeTime < this.openedAt || (tradeTime === this.openedAt && tradeId < this.openId)) {
      this.open = price
      this.openedAt = tradeTime
      this.openId = tradeId
    }
    if (price > this.high) this.high = price
    if (price < this.low) this.low = price
    if (tradeId > this.lastTradeId) this.lastTradeId = tradeId
    if (tradeId < this.firstTradeId) this.firstTradeId = tradeId
    this.volume = addFixed8(this.volume, quantity)
    this.tradeCount += 1
    if (trade.isBuyerMaker) this.quote.add(price, quantity)
    else {
      this.takerBuyVolume = addFixed8(this.takerBuyVolume, quantity)
      this.quote.add(price, quantity, this.takerBuyQuote)
    }
    return this
  }

  candle(
    interval: Interval,
    openTime: number,
    fired: { readonly isClosed: boolean; readonly revision: number },
  ): Candle {
    const quoteVolume = this.quote.toBigInt()
    return {
      market: this.market,
      symbol: this.symbol,
      interval,
      openTime,
      open: this.open,
      high: this.high,
      low: this.low,
      close: this.close,
      volume: this.volume,
      quoteVolume,
      tradeCount: this.tradeCount,
      takerBuyVolume: this.takerBuyVolume,
      takerBuyQuoteVolume: this.takerBuyQuote.toBigInt(),
      vwap: vwap(quoteVolume, this.volume),
      firstTradeId: this.firstTradeId,
      lastTradeId: this.lastTradeId,
      isClosed: fired.isClosed,
      revision: fired.revision,
    }
  }

  encode(): Json {
    const sums = [this.quote.toBigInt(), this.takerBuyQuote.toBigInt()]
    const { open, high, low, close, volume, takerBuyVolume } = this
    return [
      this.market,
      this.symbol,
      [open, high, low, close, volume, takerBuyVolume, ...sums].map(savedCount),
      [this.openedAt, this.openId, this.closedAt, this.closeId, this.firstTradeId, this.lastTradeId, this.tradeCount],
    ]
  }
}

function notCounts({ price, quantity }: TradeForOhlcv): TypeError {
  return new TypeError(
    `price ${price} and quantity ${quantity} must be counts of 1e-8: make them of text by parseFixed8`,
  )
}

function savedCount(count: Fixed8): Json {
  return typeof count === 'number' ? count : String(count)
}

type Eight<T> = readonly [T, T, T, T, T, T, T, T]
type Seven<T> = readonly [T, T, T, T, T, T, T]

const decodeCandleSum: StateCodec<CandleSum>['decode'] = (saved) => {
  const [market, symbol, decimals, numbers] = saved as unknown as readonly [
    Market,
    string,
    Eight<string | number>,
    Seven<number>,
  ]
  const [open, high, low, close, volume, takerBuyVolume] = decimals.map((count) =>
    toFixed8(BigInt(count)),
  ) as unknown as Eight<Fixed8>
  const [openedAt, openId, closedAt, closeId, firstTradeId, lastTradeId, tradeCount] = numbers
  const first: TradeForOhlcv = {
    market,
    symbol,
    tradeId: openId,
    price: open,
    quantity: 0,
    tradeTime: openedAt,
    isBuyerMaker: true,
  }
  const quote = ProductSum.from(BigInt(decimals[6]))
  const takerBuyQuote = ProductSum.from(BigInt(decimals[7]))
  return Object.assign(new CandleSum(first), {
    ...{ high, low, close, closedAt, closeId, firstTradeId, lastTradeId },
    ...{ volume, takerBuyVolume, tradeCount, quote, takerBuyQuote },
  })
}
