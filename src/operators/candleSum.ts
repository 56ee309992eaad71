import { type Fixed8, isFixed8, toFixed8 } from '../exact/decimal.ts'
import { ExactNumbers } from '../exact/exactNumbers.ts'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { Market } from '../market/trade.ts'
import { vwap } from '../market/vwap.ts'
import type { Json } from '../runtime/json.ts'
import type { Fired } from './fold.ts'
import type { TradeColumns } from './tradeColumns.ts'

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

// Where the numbers of a candle lie, those that most trades change first.
const closedAt = 0
const closeId = 1
const close = 2
const high = 3
const low = 4
const lastTradeId = 5
const volume = 6
const tradeCount = 7
const quote = 8
const takerBuyVolume = 10
const takerBuyQuote = 11
const firstTradeId = 13
const openedAt = 14
const openId = 15
const open = 16

// In the order in which they are saved.
const countsAt = [open, high, low, close, volume, takerBuyVolume]
const productsAt = [quote, takerBuyQuote]
const numbersAt = [openedAt, openId, closedAt, closeId, firstTradeId, lastTradeId, tradeCount]

/** The trades of a candle so far. */
export class CandleSum extends ExactNumbers {
  readonly #market: Market
  readonly #symbol: string

  /** Of no trade, but with the prices and the times of the first. */
  constructor({ market, symbol, price, quantity, tradeTime, tradeId }: TradeForOhlcv) {
    super([0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    if (!isFixed8(price)) throw notCounts(price, quantity)
    this.#market = market
    this.#symbol = symbol
    const { numbers } = this
    numbers[openedAt] = numbers[closedAt] = tradeTime
    numbers[firstTradeId] = numbers[lastTradeId] = numbers[openId] = numbers[closeId] = tradeId
    for (const at of [open, high, low, close]) this.setCount(at, price)
  }

  static decode(saved: Json): CandleSum {
    const [market, symbol, decimals, savedNumbers] = saved as unknown as SavedSum
    const first = { quantity: 0, tradeTime: savedNumbers[0], tradeId: savedNumbers[1], isBuyerMaker: true } as const
    const sum = new CandleSum({ market, symbol, price: toFixed8(BigInt(decimals[0])), ...first })
    for (const [i, at] of numbersAt.entries()) sum.numbers[at] = savedNumbers[i] as number
    for (const [i, at] of countsAt.entries()) sum.setCount(at, toFixed8(BigInt(decimals[i] as string | number)))
    for (const [i, at] of productsAt.entries())
      sum.addUnits(at, BigInt(decimals[countsAt.length + i] as string | number))
    return sum
  }

  add(trade: TradeForOhlcv): this {
    const { price, quantity, tradeTime, tradeId } = trade
    if (!isFixed8(price) || !isFixed8(quantity)) throw notCounts(price, quantity)
    const { numbers } = this
    const last = numbers[closedAt] as number
    if (tradeTime > last || (tradeTime === last && tradeId > (numbers[closeId] as number))) {
      this.setCount(close, price)
      numbers[closedAt] = tradeTime
      numbers[closeId] = tradeId
    } else {
      const first = numbers[openedAt] as number
      if (tradeTime < first || (tradeTime === first && tradeId < (numbers[openId] as number))) {
        this.setCount(open, price)
        numbers[openedAt] = tradeTime
        numbers[openId] = tradeId
      }
    }
    if (price > this.count(high)) this.setCount(high, price)
    if (price < this.count(low)) this.setCount(low, price)
    if (tradeId > (numbers[lastTradeId] as number)) numbers[lastTradeId] = tradeId
    if (tradeId < (numbers[firstTradeId] as number)) numbers[firstTradeId] = tradeId
    this.addToCount(volume, quantity)
    ;(numbers[tradeCount] as number) += 1
    if (trade.isBuyerMaker) this.addProduct(quote, price, quantity)
    else {
      this.addToCount(takerBuyVolume, quantity)
      this.addProduct(quote, price, quantity, takerBuyQuote)
    }
    return this
  }

  /** Adds the trades of `records[from]` up to, not including, `records[to]`; gives the first that `add` has to be asked about, or `to`. */
  addMany(trades: TradeColumns, records: Int32Array, from: number, to: number): number {
    if (this.hasWide) return from
    const end = this.#addEnds(trades, records, from, to)
    ;(this.numbers[tradeCount] as number) += end - from
    const { price, quantity, isBuyerMaker } = trades
    const taken = { records, from, to: end, except: isBuyerMaker }
    this.addCounts(volume, takerBuyVolume, quantity, taken)
    this.addProducts(quote, takerBuyQuote, price, quantity, taken)
    return end
  }

  /** What a candle has of single trades: first and last, highest and lowest. Ends before what is no count. */
  #addEnds({ price, quantity, tradeTime, tradeId }: TradeColumns, records: Int32Array, from: number, to: number) {
    const { numbers } = this
    for (let i = from; i < to; i += 1) {
      const record = records[i] as number
      const paid = price[record] as number
      if (!Number.isSafeInteger(paid) || !Number.isSafeInteger(quantity[record])) return i
      const time = tradeTime[record] as number
      const id = tradeId[record] as number
      if (time > (numbers[closedAt] as number) || (time === numbers[closedAt] && id > (numbers[closeId] as number))) {
        numbers[close] = paid
        numbers[closedAt] = time
        numbers[closeId] = id
      } else if (
        time < (numbers[openedAt] as number) ||
        (time === numbers[openedAt] && id < (numbers[openId] as number))
      ) {
        numbers[open] = paid
        numbers[openedAt] = time
        numbers[openId] = id
      }
      if (paid > (numbers[high] as number)) numbers[high] = paid
      if (paid < (numbers[low] as number)) numbers[low] = paid
      if (id > (numbers[lastTradeId] as number)) numbers[lastTradeId] = id
      if (id < (numbers[firstTradeId] as number)) numbers[firstTradeId] = id
    }
    return to
  }

  candle(interval: Interval, openTime: number, { isClosed, revision }: Fired): Candle {
    const quoteVolume = this.product(quote)
    const volumes = this.count(volume)
    return {
      market: this.#market,
      symbol: this.#symbol,
      interval,
      openTime,
      open: this.count(open),
      high: this.count(high),
      low: this.count(low),
      close: this.count(close),
      volume: volumes,
      quoteVolume,
      tradeCount: this.numbers[tradeCount] as number,
      takerBuyVolume: this.count(takerBuyVolume),
      takerBuyQuoteVolume: this.product(takerBuyQuote),
      vwap: vwap(quoteVolume, volumes),
      firstTradeId: this.numbers[firstTradeId] as number,
      lastTradeId: this.numbers[lastTradeId] as number,
      isClosed,
      revision,
    }
  }

  encode(): Json {
    const counts = [...countsAt.map((at) => this.count(at)), ...productsAt.map((at) => this.product(at))]
    return [
      this.#market,
      this.#symbol,
      counts.map((count) => (typeof count === 'number' ? count : String(count))),
      numbersAt.map((at) => this.numbers[at] as number),
    ]
  }
}

type SavedSum = readonly [
  market: Market,
  symbol: string,
  decimals: readonly [open: string | number, ...(string | number)[]],
  numbers: readonly [openedAt: number, openId: number, ...number[]],
]

function notCounts(price: unknown, quantity: unknown): TypeError {
  return new TypeError(
    `price ${price} and quantity ${quantity} must be counts of 1e-8: make them of text by parseFixed8`,
  )
}
