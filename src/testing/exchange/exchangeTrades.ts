import { parseFixed8 } from '../../exact/decimal.ts'

/** A trade as the simulated exchange knows it. */
export interface ExchangeTrade {
  /** Grows by one for each trade of a symbol, until the ids start again. From 0. */
  readonly id: number
  /** Of the taker order that it is a fill of: what `aggTrade` counts. From 0. */
  readonly orderId: number
  /** Counts of 1e-8. */
  readonly price: bigint
  /** Counts of 1e-8. */
  readonly quantity: bigint
  /** ms UTC. */
  readonly time: number
  /** True when the buyer's order was resting. */
  readonly isBuyerMaker: boolean
  /** How often the ids had started again before it: 0 at first. */
  readonly epoch: number
}

/** What is told of a trade; the rest follows from the trades before it. */
export interface ExchangeTradeOptions {
  /** Decimal text. `100.00000000` unless told. */
  readonly price?: string
  /** Decimal text, of each fill. `1.00000000` unless told. */
  readonly quantity?: string
  /** ms UTC. One millisecond after the symbol's trade before, unless told. */
  readonly time?: number
  /** The trade happens, so REST knows it, but the stream does not bring it. */
  readonly isMissed?: boolean
  /** Which side rested; by turns unless told. */
  readonly isBuyerMaker?: boolean
  /** How many trades the taker order makes, from 1. 1 unless told; `trade` gives the id of the last one. */
  readonly fillCount?: number
}

/** All trades of one symbol, oldest first. Keeps them all: it is what everything else is computed from. */
export class SymbolTrades {
  readonly symbol: string
  /** False once it is delisted: `BREAK` in exchangeInfo, and nothing is streamed. */
  isTrading = true
  readonly #all: ExchangeTrade[] = []
  #epochStart = 0
  #epoch = 0
  #nextId: number
  #nextOrder = 0
  #previousTime: number

  constructor(symbol: string, firstId: number, startMs: number) {
    this.symbol = symbol
    this.#nextId = firstId
    this.#previousTime = startMs
  }

  /** Every trade that happened, whatever its id. */
  get all(): readonly ExchangeTrade[] {
    return this.#all
  }

  /** Those that REST knows by id: since the ids last started again. */
  get known(): readonly ExchangeTrade[] {
    return this.#epochStart === 0 ? this.#all : this.#all.slice(this.#epochStart)
  }

  get last(): ExchangeTrade | undefined {
    return this.#all.at(-1)
  }

  /** Those of `[start, end)`, ms UTC: looked for from the newest one back, past trades that were told late by up to a minute. */
  between(start: number, end: number): readonly ExchangeTrade[] {
    const found: ExchangeTrade[] = []
    for (let index = this.#all.length - 1; index >= 0; index--) {
      const trade = this.#all[index] as ExchangeTrade
      if (trade.time < start - 60_000) break
      if (trade.time >= start && trade.time < end) found.push(trade)
    }
    return found.reverse()
  }

  /** The newest one before this time, ms UTC. */
  lastBefore(time: number): ExchangeTrade | undefined {
    return this.#all.findLast((trade) => trade.time < time)
  }

  add(options: ExchangeTradeOptions): readonly ExchangeTrade[] {
    const { price = '100.00000000', quantity = '1.00000000', fillCount = 1 } = options
    const time = options.time ?? this.#previousTime + 1
    const orderId = this.#nextOrder++
    const isBuyerMaker = options.isBuyerMaker ?? this.#nextId % 2 === 0
    const made: ExchangeTrade[] = []
    for (let fill = 0; fill < fillCount; fill++) {
      made.push({
        id: this.#nextId++,
        orderId,
        price: countOf(price),
        quantity: countOf(quantity),
        time,
        isBuyerMaker,
        epoch: this.#epoch,
      })
    }
    this.#previousTime = time
    this.#all.push(...made)
    return made
  }

  startIdsAgain(firstId: number): void {
    this.#epoch++
    this.#epochStart = this.#all.length
    this.#nextId = firstId
  }

  /** The newest trade with this id. */
  byId(id: number): ExchangeTrade {
    const trade = this.#all.findLast((one) => one.id === id)
    if (trade === undefined) throw new Error(`SimulatedExchange: ${this.symbol} has no trade ${id}`)
    return trade
  }

  /** Those of the same taker order, in order. */
  order(orderId: number): readonly ExchangeTrade[] {
    const fills: ExchangeTrade[] = []
    for (let index = this.#all.length - 1; index >= 0; index--) {
      const trade = this.#all[index] as ExchangeTrade
      if (trade.orderId < orderId) break
      if (trade.orderId === orderId) fills.unshift(trade)
    }
    return fills
  }
}

function countOf(text: string): bigint {
  const count = parseFixed8(text)
  if (count === null) throw new RangeError(`SimulatedExchange: '${text}' is no decimal of at most 8 places`)
  return BigInt(count)
}
