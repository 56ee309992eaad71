import { type Fixed8, isFixed8, toFixed8 } from '../exact/decimal.ts'
import { ExactNumbers } from '../exact/exactNumbers.ts'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { Market } from '../market/trade.ts'
import { vwap } from '../market/vwap.ts'
import type { Json } from '../runtime/json.ts'
import type { Fired, ValuesInRows } from './fold.ts'
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

// Where the numbers of a candle lie in its row, those that most trades change or ask for first.
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
/** Three lines of memory, of which nearly every trade asks for the first two alone. */
const width = 24

// In the order in which they are saved.
const countsAt = [open, high, low, close, volume, takerBuyVolume]
const productsAt = [quote, takerBuyQuote]
const numbersAt = [openedAt, openId, closedAt, closeId, firstTradeId, lastTradeId, tradeCount]

/** The trades of a candle so far: they lie in a row of `CandleSums`. */
export interface CandleSum {
  market: Market
  symbol: string
  /** Where its numbers begin. */
  readonly row: number
}

/**
 * Sums of trades, side by side: a trade that is added touches two lines of memory and no object.
 *
 * A candle has its row from `create` or `decode` until `release`. Rows are used again, and there stay as many as there were candles at once.
 */
export class CandleSums extends ExactNumbers {
  readonly #free: CandleSum[] = []
  #end = 0

  constructor() {
    super([0.5])
  }

  /** Of no trade, but with the prices and the times of the first. */
  create({ market, symbol, price, quantity, tradeTime, tradeId }: TradeForOhlcv): CandleSum {
    // Before a row is taken, which a trade that cannot be added would keep.
    if (!isFixed8(price) || !isFixed8(quantity)) throw notCounts(price, quantity)
    const sum = this.#take(market, symbol)
    const { row } = sum
    const { numbers } = this
    numbers[row + openedAt] = numbers[row + closedAt] = tradeTime
    for (const at of [firstTradeId, lastTradeId, openId, closeId]) numbers[row + at] = tradeId
    for (const at of [open, high, low, close]) this.setCount(row + at, price)
    return sum
  }

  decode(saved: Json): CandleSum {
    const [market, symbol, decimals, savedNumbers] = saved as unknown as SavedSum
    const sum = this.#take(market, symbol)
    const { row } = sum
    for (const [i, at] of numbersAt.entries()) this.numbers[row + at] = savedNumbers[i] as number
    for (const [i, at] of countsAt.entries()) this.setCount(row + at, toFixed8(BigInt(decimals[i] as string | number)))
    for (const [i, at] of productsAt.entries())
      this.addUnits(row + at, BigInt(decimals[countsAt.length + i] as string | number))
    return sum
  }

  /** Another candle may have the row from now on. */
  release(sum: CandleSum): void {
    this.#free.push(sum)
  }

  add(sum: CandleSum, trade: TradeForOhlcv): CandleSum {
    const { price, quantity, tradeTime, tradeId } = trade
    if (!isFixed8(price) || !isFixed8(quantity)) throw notCounts(price, quantity)
    const { numbers } = this
    const { row } = sum
    const last = numbers[row + closedAt] as number
    if (tradeTime > last || (tradeTime === last && tradeId > (numbers[row + closeId] as number))) {
      this.setCount(row + close, price)
      numbers[row + closedAt] = tradeTime
      numbers[row + closeId] = tradeId
    } else {
      const first = numbers[row + openedAt] as number
      if (tradeTime < first || (tradeTime === first && tradeId < (numbers[row + openId] as number))) {
        this.setCount(row + open, price)
        numbers[row + openedAt] = tradeTime
        numbers[row + openId] = tradeId
      }
    }
    if (price > this.count(row + high)) this.setCount(row + high, price)
    if (price < this.count(row + low)) this.setCount(row + low, price)
    if (tradeId > (numbers[row + lastTradeId] as number)) numbers[row + lastTradeId] = tradeId
    if (tradeId < (numbers[row + firstTradeId] as number)) numbers[row + firstTradeId] = tradeId
    this.addToCount(row + volume, quantity)
    ;(numbers[row + tradeCount] as number) += 1
    if (trade.isBuyerMaker) this.addProduct(row + quote, price, quantity)
    else {
      this.addToCount(row + takerBuyVolume, quantity)
      this.addProduct(row + quote, price, quantity, row + takerBuyQuote)
    }
    return sum
  }

  /** Adds each trade to the candle whose row is beside it; gives the first that `add` has to be asked about, or `to`. */
  addMany(trades: TradeColumns, values: ValuesInRows): number {
    const to = this.#addEnds(trades, values)
    const { price, quantity, isBuyerMaker } = trades
    const taken = { ...values, to }
    this.addCounts(volume, takerBuyVolume, quantity, isBuyerMaker, taken)
    this.addProducts(quote, takerBuyQuote, price, quantity, isBuyerMaker, taken)
    return to
  }

  /** What a candle has of single trades: first and last, highest and lowest; and how many there are. Ends before what is no count, and before a candle with prices that are no doubles. */
  #addEnds({ price, quantity, tradeTime, tradeId }: TradeColumns, { records, rows, from, to }: ValuesInRows): number {
    const { numbers } = this
    for (let i = from; i < to; i += 1) {
      const record = records[i] as number
      const row = rows[i] as number
      const paid = price[record] as number
      if (!Number.isSafeInteger(paid) || !Number.isSafeInteger(quantity[record])) return i
      const highest = numbers[row + high] as number
      const lowest = numbers[row + low] as number
      // Not a number where it is a bigint.
      if (!(highest >= lowest)) return i
      const time = tradeTime[record] as number
      const id = tradeId[record] as number
      const last = numbers[row + closedAt] as number
      if (time > last || (time === last && id > (numbers[row + closeId] as number))) {
        numbers[row + close] = paid
        numbers[row + closedAt] = time
        numbers[row + closeId] = id
      } else {
        const first = numbers[row + openedAt] as number
        if (time < first || (time === first && id < (numbers[row + openId] as number))) {
          numbers[row + open] = paid
          numbers[row + openedAt] = time
          numbers[row + openId] = id
        }
      }
      if (paid > highest) numbers[row + high] = paid
      if (paid < lowest) numbers[row + low] = paid
      if (id > (numbers[row + lastTradeId] as number)) numbers[row + lastTradeId] = id
      if (id < (numbers[row + firstTradeId] as number)) numbers[row + firstTradeId] = id
      ;(numbers[row + tradeCount] as number) += 1
    }
    return to
  }

  candle({ market, symbol, row }: CandleSum, interval: Interval, openTime: number, fired: Fired): Candle {
    const quoteVolume = this.product(row + quote)
    const volumes = this.count(row + volume)
    return {
      market,
      symbol,
      interval,
      openTime,
      open: this.count(row + open),
      high: this.count(row + high),
      low: this.count(row + low),
      close: this.count(row + close),
      volume: volumes,
      quoteVolume,
      tradeCount: this.numbers[row + tradeCount] as number,
      takerBuyVolume: this.count(row + takerBuyVolume),
      takerBuyQuoteVolume: this.product(row + takerBuyQuote),
      vwap: vwap(quoteVolume, volumes),
      firstTradeId: this.numbers[row + firstTradeId] as number,
      lastTradeId: this.numbers[row + lastTradeId] as number,
      isClosed: fired.isClosed,
      revision: fired.revision,
    }
  }

  encode({ market, symbol, row }: CandleSum): Json {
    const counts = [...countsAt.map((at) => this.count(row + at)), ...productsAt.map((at) => this.product(row + at))]
    return [
      market,
      symbol,
      counts.map((count) => (typeof count === 'number' ? count : String(count))),
      numbersAt.map((at) => this.numbers[row + at] as number),
    ]
  }

  #take(market: Market, symbol: string): CandleSum {
    let sum = this.#free.pop()
    if (sum === undefined) {
      sum = { market, symbol, row: this.#end }
      this.#end += width
    } else {
      sum.market = market
      sum.symbol = symbol
    }
    this.clear(sum.row, width)
    return sum
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
