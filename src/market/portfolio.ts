import { divideHalfEven, type Fixed8, type Fixed16 } from '../exact/decimal.ts'

/** A purchase or a sale of one's own. */
export interface OwnTrade {
  readonly symbol: string
  /** ms UTC. */
  readonly at: number
  readonly side: 'buy' | 'sell'
  /** Base asset, counts of 1e-8. */
  readonly quantity: Fixed8
  /** Quote asset, counts of 1e-8. */
  readonly price: Fixed8
  /** Quote asset, counts of 1e-8. */
  readonly fee: Fixed8
}

/** What is held of a symbol, at its mean cost. */
interface Holding {
  quantity: bigint
  cost: Fixed16
}

/** A portfolio at the end of a minute. Amounts are in the quote asset, counts of 1e-16. */
export interface PortfolioMinute {
  /** Of the candle, ms UTC. */
  readonly openTime: number
  readonly value: Fixed16
  readonly cost: Fixed16
  readonly realised: Fixed16
  readonly unrealised: Fixed16
  /** How far realised and unrealised together are below the highest they have been. */
  readonly drawdown: Fixed16
  /** The largest part that one symbol has of the value, percent with two places: 10000 is all. */
  readonly exposure: number
  /** False where the price of something that is held is missing, or old. */
  readonly isComplete: boolean
}

interface Price {
  readonly price: Fixed8
  readonly openTime: number
}

const feeScale = 100_000_000n

/** Goes through the minutes in order, with the trades of each. Keeps a holding and a price a symbol. */
export class Portfolio {
  readonly #trades: readonly OwnTrade[]
  readonly #staleAfterMs: number
  readonly #holdings = new Map<string, Holding>()
  readonly #prices = new Map<string, Price>()
  #next = 0
  #realised: Fixed16 = 0n
  #highest: Fixed16 = 0n

  /** @param trades in the order of their time */
  constructor(trades: readonly OwnTrade[], staleAfterMs: number) {
    this.#trades = trades
    this.#staleAfterMs = staleAfterMs
  }

  /** Takes the closes of a minute, by symbol, and gives how the portfolio stands at its end. */
  minute(openTime: number, closes: ReadonlyMap<string, Fixed8>): PortfolioMinute {
    const end = openTime + 60_000
    for (
      let trade = this.#trades[this.#next];
      trade !== undefined && trade.at < end;
      trade = this.#trades[this.#next]
    ) {
      this.#take(trade)
      this.#next += 1
    }
    for (const [symbol, price] of closes) this.#prices.set(symbol, { price, openTime })
    let value: Fixed16 = 0n
    let cost: Fixed16 = 0n
    let largest: Fixed16 = 0n
    let isComplete = true
    for (const [symbol, holding] of this.#holdings) {
      if (holding.quantity === 0n) continue
      const known = this.#prices.get(symbol)
      if (known === undefined || openTime - known.openTime > this.#staleAfterMs) isComplete = false
      // What has no price yet is worth what was paid for it, and the minute says that it is not complete.
      const worth = known === undefined ? holding.cost : holding.quantity * BigInt(known.price)
      value += worth
      cost += holding.cost
      if (worth > largest) largest = worth
    }
    const unrealised = value - cost
    const gained = this.#realised + unrealised
    if (gained > this.#highest) this.#highest = gained
    return {
      openTime,
      value,
      cost,
      realised: this.#realised,
      unrealised,
      drawdown: this.#highest - gained,
      exposure: value === 0n ? 0 : Number(divideHalfEven(largest * 10_000n, value)),
      isComplete,
    }
  }

  #take({ symbol, at, side, quantity, price, fee }: OwnTrade): void {
    const holding = this.#holdings.get(symbol) ?? { quantity: 0n, cost: 0n }
    this.#holdings.set(symbol, holding)
    const amount = BigInt(quantity) * BigInt(price)
    const paid = BigInt(fee) * feeScale
    if (side === 'buy') {
      holding.quantity += BigInt(quantity)
      holding.cost += amount + paid
      return
    }
    if (BigInt(quantity) > holding.quantity)
      throw new RangeError(`more ${symbol} is sold at ${new Date(at).toISOString()} than was held`)
    const part = divideHalfEven(holding.cost * BigInt(quantity), holding.quantity)
    holding.quantity -= BigInt(quantity)
    holding.cost -= part
    this.#realised += amount - paid - part
  }
}
