import { type RandomState, SeededRandom } from './random.ts'

export interface SimulatedMarketOptions {
  readonly seed: number
  readonly symbols: readonly string[]
  /** Trades a second over all symbols, in event time. The first symbols are the busier ones. */
  readonly tradesPerSecond: number
}

/** All that a simulated market knows, as plain data: a market made from it goes on as if it had never stopped. */
export interface SimulatedMarketState {
  readonly random: RandomState
  /** ms UTC of the trade made last. */
  readonly time: number
  /** Next trade id and price (count of 1e-8) of each symbol. */
  readonly books: Readonly<Record<string, readonly [nextId: number, price: number]>>
}

interface Book {
  readonly symbol: string
  readonly stream: string
  /** What the price moves by, a whole number of ticks and about a fiftieth of a per mille of it. */
  readonly step: number
  readonly lowest: number
  readonly highest: number
  nextId: number
  price: number
}

const unit = 100_000_000
const firstId = 1

/** Where the prices of known symbols begin, in whole units of 1e-8; others get one from their name. */
const knownPrices: Readonly<Record<string, number>> = {
  BTCUSDT: 65_000 * unit,
  ETHUSDT: 3_200 * unit,
  BNBUSDT: 580 * unit,
  SOLUSDT: 150 * unit,
  XRPUSDT: unit / 2,
  SHIBUSDT: 1_800,
}

/**
 * Invents trades as the exchange would report them: ids that grow by one for each symbol, prices that walk in ticks around where they began,
 * times that never go back. Integers throughout, so that a seed gives the same bytes on every machine.
 *
 * Keeps a book a symbol.
 */
export class SimulatedMarket {
  readonly #random: SeededRandom
  readonly #books: readonly Book[]
  /** Trades that fall due, in 1/1000 of a trade: what a millisecond adds. */
  readonly #gapBound: number
  #time: number
  #isBare: boolean

  /** @param from ms UTC of the first trade at the earliest */
  constructor(options: SimulatedMarketOptions, from: number, state?: SimulatedMarketState, isBare = false) {
    this.#random = state === undefined ? SeededRandom.ofSeed(options.seed) : SeededRandom.ofState(state.random)
    this.#books = options.symbols.map((symbol) => newBook(symbol, state?.books[symbol]))
    this.#gapBound = 2_000_000 / options.tradesPerSecond + 1
    this.#time = state === undefined ? from : Math.max(from, state.time)
    this.#isBare = isBare
  }

  /** ms UTC of the newest trade. */
  get time(): number {
    return this.#time
  }

  /** How long after the newest trade the next one comes. Draws a number, so ask once a trade. */
  drawGapMs(): number {
    // Gaps are drawn in microseconds, from none to twice their mean; what is less than a millisecond is kept by chance, not by a remainder.
    const micros = this.#random.below(this.#gapBound)
    const whole = Math.floor(micros / 1_000)
    return whole + (this.#random.below(1_000) < micros - whole * 1_000 ? 1 : 0)
  }

  /** The frame of one trade at `time`, or at the newest trade's time when that is later. */
  trade(time: number): Buffer {
    if (time > this.#time) this.#time = time
    const draw = this.#random.next()
    const book = this.#pickBook(draw)
    this.#movePrice(book)
    const quantity = this.#drawQuantity(book.price)
    const at = this.#time
    const isBuyerMaker = (draw & 1) === 1
    const payload = `{"e":"trade","E":${at},"s":"${book.symbol}","t":${book.nextId},"p":"${fixed8Text(book.price)}","q":"${fixed8Text(quantity)}","T":${at},"m":${isBuyerMaker},"M":true}`
    book.nextId++
    return Buffer.from(this.#isBare ? payload : `{"stream":"${book.stream}","data":${payload}}`)
  }

  snapshot(): SimulatedMarketState {
    const books: Record<string, readonly [number, number]> = {}
    for (const { symbol, nextId, price } of this.#books) books[symbol] = [nextId, price]
    return { random: this.#random.snapshot(), time: this.#time, books }
  }

  /** The smaller of two draws: the first symbols trade more often, the last ones still do. */
  #pickBook(draw: number): Book {
    const count = this.#books.length
    const first = Math.floor(((draw >>> 1) / 0x8000_0000) * count)
    const index = Math.min(first, this.#random.below(count))
    return this.#books[index] as Book
  }

  #movePrice(book: Book): void {
    const draw = this.#random.next()
    // Most trades happen at the price of the one before.
    if ((draw & 3) !== 0) return
    const steps = ((draw >>> 2) % 9) - 4
    const moved = book.price + steps * book.step
    if (moved >= book.lowest && moved <= book.highest) book.price = moved
  }

  /** Worth 5 to 2,000 of the quote asset, in lots that a price of this size is traded in. */
  #drawQuantity(price: number): number {
    const worth = (5 + this.#random.below(1_995)) * unit
    const lot = price >= 1_000 * unit ? 1_000 : price >= unit ? 100_000 : unit
    const lots = Math.floor((worth / price) * (unit / lot))
    return Math.max(1, lots) * lot
  }
}

function newBook(symbol: string, restored: readonly [nextId: number, price: number] | undefined): Book {
  const start = knownPrices[symbol] ?? priceOfName(symbol)
  const tick = start >= 10 * unit ? unit / 100 : start >= unit / 100 ? 10_000 : 1
  return {
    symbol,
    stream: `${symbol.toLowerCase()}@trade`,
    step: tick * Math.max(1, Math.floor(start / tick / 50_000)),
    lowest: Math.max(tick, Math.floor(start / 4)),
    highest: start * 4,
    nextId: restored?.[0] ?? firstId,
    price: restored?.[1] ?? start,
  }
}

/** Between 0.1 and 400, in whole ticks. */
function priceOfName(symbol: string): number {
  let hash = 0
  for (let at = 0; at < symbol.length; at++) hash = (Math.imul(hash, 31) + symbol.charCodeAt(at)) >>> 0
  return unit / 10 + (hash % 399_900) * (unit / 1_000)
}

/** Decimal text of a count of 1e-8, all 8 places, as the exchange writes it. */
function fixed8Text(units: number): string {
  const whole = Math.floor(units / unit)
  return `${whole}.${String(units - whole * unit).padStart(8, '0')}`
}
