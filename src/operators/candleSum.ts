import { type Fixed8, isFixed8, toFixed8 } from '../exact/decimal.ts'
import { carryBound, ExactNumbers, highOfProduct, lowOfProduct, productBound } from '../exact/exactNumbers.ts'
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

// Where the numbers of a candle lie in its row: in two lines of memory those that a trade changes, and behind them the others.
const closedAt = 0
const closeId = 1
const close = 2
const high = 3
const lastTradeId = 4
const tradeCount = 5
const volume = 6
const takerBuyVolume = 7
/** Not in the line of the highest, so that whoever asks for both has asked for both lines. */
const low = 8
const quote = 9
const takerBuyQuote = 11
const firstTradeId = 13
const openedAt = 14
const openId = 15
const open = 16
/** Three lines. */
const width = 24
const fewestRows = 8

// In the order in which they are saved.
const pricesAt = [open, high, low, close]
const volumesAt = [volume, takerBuyVolume]
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
  declare protected numbers: Float64Array
  readonly #free: CandleSum[] = []
  #end = 0

  constructor() {
    super(new Float64Array(fewestRows * width))
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
    const units = decimals.map((decimal) => BigInt(decimal)).values()
    const next = () => units.next().value as bigint
    for (const at of pricesAt) this.setCount(row + at, toFixed8(next()))
    for (const at of volumesAt) this.addToSum(row + at, toFixed8(next()))
    for (const at of productsAt) this.addUnits(row + at, next())
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
    else if (tradeId < (numbers[row + firstTradeId] as number)) numbers[row + firstTradeId] = tradeId
    this.addToSum(row + volume, quantity)
    ;(numbers[row + tradeCount] as number) += 1
    if (trade.isBuyerMaker) this.addProduct(row + quote, price, quantity)
    else {
      this.addToSum(row + takerBuyVolume, quantity)
      this.addProduct(row + quote, price, quantity, row + takerBuyQuote)
    }
    return sum
  }

  /** Adds each trade to the candle whose row is beside it; gives the first that `add` has to be asked about, or `to`. */
  addMany(trades: TradeColumns, values: ValuesInRows): number {
    return this.#addPlain(trades, values, this.#plainUntil(trades, values))
  }

  /** The first of what is no count, or is for a candle with prices that are no doubles; `to` where there is none. Short, so that the processor waits for the rows of many trades at once. */
  #plainUntil({ price, quantity }: TradeColumns, { records, rows, from, to }: ValuesInRows): number {
    const { numbers } = this
    for (let i = from; i < to; i += 1) {
      const record = records[i] as number
      const row = rows[i] as number
      if (!Number.isSafeInteger(price[record]) || !Number.isSafeInteger(quantity[record])) return i
      // Not a number where it is a bigint.
      if (!((numbers[row + high] as number) >= (numbers[row + low] as number))) return i
    }
    return to
  }

  /** Adds up to the first with which a sum would be more than its doubles hold. */
  #addPlain(
    { price, quantity, tradeTime, tradeId, isBuyerMaker }: TradeColumns,
    { records, rows, from }: ValuesInRows,
    to: number,
  ): number {
    const { numbers } = this
    for (let i = from; i < to; i += 1) {
      const record = records[i] as number
      const row = rows[i] as number
      const paid = price[record] as number
      const size = quantity[record] as number
      const takers = 1 - (isBuyerMaker[record] as number)
      const rounded = paid * size
      const lowPart = lowOfProduct(paid, size)
      const highPart = highOfProduct(rounded, lowPart)
      const volumeSum = (numbers[row + volume] as number) + size
      const takerVolumeSum = (numbers[row + takerBuyVolume] as number) + size * takers
      const lowSum = (numbers[row + quote] as number) + lowPart
      const highSum = (numbers[row + quote + 1] as number) + highPart
      const takerLowSum = (numbers[row + takerBuyQuote] as number) + lowPart * takers
      const takerHighSum = (numbers[row + takerBuyQuote + 1] as number) + highPart * takers
      if (!(rounded < productBound) || !isWithin(volumeSum) || !isWithin(takerVolumeSum)) return i
      if (Math.max(lowSum, highSum, takerLowSum, takerHighSum) >= carryBound) return i
      numbers[row + volume] = volumeSum
      numbers[row + takerBuyVolume] = takerVolumeSum
      numbers[row + quote] = lowSum
      numbers[row + quote + 1] = highSum
      numbers[row + takerBuyQuote] = takerLowSum
      numbers[row + takerBuyQuote + 1] = takerHighSum
      ;(numbers[row + tradeCount] as number) += 1
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
      if (paid > (numbers[row + high] as number)) numbers[row + high] = paid
      if (paid < (numbers[row + low] as number)) numbers[row + low] = paid
      if (id > (numbers[row + lastTradeId] as number)) numbers[row + lastTradeId] = id
      else if (id < (numbers[row + firstTradeId] as number)) numbers[row + firstTradeId] = id
    }
    return to
  }

  candle({ market, symbol, row }: CandleSum, interval: Interval, openTime: number, fired: Fired): Candle {
    const quoteVolume = this.product(row + quote)
    const volumes = this.sum(row + volume)
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
      takerBuyVolume: this.sum(row + takerBuyVolume),
      takerBuyQuoteVolume: this.product(row + takerBuyQuote),
      vwap: vwap(quoteVolume, volumes),
      firstTradeId: this.numbers[row + firstTradeId] as number,
      lastTradeId: this.numbers[row + lastTradeId] as number,
      isClosed: fired.isClosed,
      revision: fired.revision,
    }
  }

  encode({ market, symbol, row }: CandleSum): Json {
    const decimals: Json[] = []
    for (const at of pricesAt) decimals.push(written(this.count(row + at)))
    for (const at of volumesAt) decimals.push(written(this.sum(row + at)))
    for (const at of productsAt) decimals.push(String(this.product(row + at)))
    const numbers: number[] = []
    for (const at of numbersAt) numbers.push(this.numbers[row + at] as number)
    return [market, symbol, decimals, numbers]
  }

  #take(market: Market, symbol: string): CandleSum {
    let sum = this.#free.pop()
    if (sum === undefined) {
      sum = { market, symbol, row: this.#end }
      this.#end += width
      if (this.#end > this.numbers.length) this.#grow()
    } else {
      sum.market = market
      sum.symbol = symbol
      this.clear(sum.row, width)
    }
    return sum
  }

  #grow(): void {
    const { numbers } = this
    this.numbers = new Float64Array(2 * numbers.length)
    this.numbers.set(numbers)
  }
}

function written(count: Fixed8): Json {
  return typeof count === 'number' ? count : String(count)
}

function isWithin(sum: number): boolean {
  return Math.abs(sum) <= Number.MAX_SAFE_INTEGER
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
