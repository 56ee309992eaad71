import type { Fixed8 } from '../exact/decimal.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { DepthDiff } from './streams/depthDiff.ts'
import type { PriceLevel } from './streams/payloadParts.ts'

/** A whole order book of one moment, as REST gives it. */
export interface BookSnapshot {
  /** The last change of the book that is in it. */
  readonly lastUpdateId: number
  /** In any order. */
  readonly bids: readonly PriceLevel[]
  /** In any order. */
  readonly asks: readonly PriceLevel[]
}

/**
 * What became of a change of the book, or of a snapshot.
 *
 * - `waiting`: kept until a snapshot comes
 * - `applied`: the book is that of `lastUpdateId`
 * - `old`: the book had it already
 * - `lost`: changes are missing before it, so the book is empty again and needs a snapshot; the change itself is kept
 * - `too-old`: the snapshot is older than the first change that is kept, so a newer one is needed
 */
export type BookOutcome = 'waiting' | 'applied' | 'old' | 'lost' | 'too-old'

/** Bounds of an order book, so that a flood of changes ends in a new start and not in the end of memory. */
export interface OrderBookOptions {
  /** How many changes are kept while no snapshot has come; the oldest go first. Default 10,000. */
  readonly maxWaiting?: number
  /** How many levels a side has; those farthest from the best price go first. Default 20,000. */
  readonly maxLevels?: number
}

/**
 * The order book of one symbol, kept by the exchange's rule: changes are kept until a snapshot comes, those that it holds are dropped, the next one must meet it, and
 * each one after that must follow the one before without a hole; after a loss it is empty until the next snapshot. On futures a change names the one before
 * (`previousUpdateId`), on spot the ids themselves follow.
 *
 * It is never partly right: `isReady` says whether it is the exchange's book of `lastUpdateId`. Memory: the levels, and the changes that wait, both bounded.
 * Throws ConfigurationError for bounds that are no whole numbers above zero.
 */
export class OrderBook {
  readonly #maxWaiting: number
  readonly #maxLevels: number
  readonly #bids = new Side((one, other) => one > other)
  readonly #asks = new Side((one, other) => one < other)
  #waiting: DepthDiff[] = []
  #lastUpdateId: number | null = null

  constructor({ maxWaiting = 10_000, maxLevels = 20_000 }: OrderBookOptions = {}) {
    for (const [name, value] of Object.entries({ maxWaiting, maxLevels })) {
      if (Number.isSafeInteger(value) && value > 0) continue
      throw new ConfigurationError(`OrderBook: ${name} must be a whole number above zero, got ${value}.`)
    }
    this.#maxWaiting = maxWaiting
    this.#maxLevels = maxLevels
  }

  /** True while this is the exchange's book of `lastUpdateId`. */
  get isReady(): boolean {
    return this.#lastUpdateId !== null
  }

  /** The last change that is in the book; null while it is not ready. */
  get lastUpdateId(): number | null {
    return this.#lastUpdateId
  }

  /** The best bids, highest first; none while the book is not ready. */
  bids(count = Number.POSITIVE_INFINITY): readonly PriceLevel[] {
    return this.#bids.best(count)
  }

  /** The best asks, lowest first; none while the book is not ready. */
  asks(count = Number.POSITIVE_INFINITY): readonly PriceLevel[] {
    return this.#asks.best(count)
  }

  /** Takes the next change of the stream. After `lost` fetch a snapshot. */
  apply(diff: DepthDiff): 'waiting' | 'applied' | 'old' | 'lost' {
    if (this.#lastUpdateId === null) {
      this.#keep(diff)
      return 'waiting'
    }
    const outcome = this.#follow(diff, this.#lastUpdateId)
    if (outcome === 'lost') {
      this.#restart()
      this.#keep(diff)
    }
    return outcome
  }

  /** Takes a snapshot, fetched after the stream was subscribed, and applies the changes that wait. After `too-old` and `lost` fetch another. */
  restore(snapshot: BookSnapshot): 'applied' | 'too-old' | 'lost' {
    const waiting = this.#waiting
    const [first] = waiting
    if (first !== undefined && before(first) > snapshot.lastUpdateId) return 'too-old'
    this.#restart()
    this.#bids.set(snapshot.bids)
    this.#asks.set(snapshot.asks)
    this.#lastUpdateId = snapshot.lastUpdateId
    this.#trim()
    for (const [index, diff] of waiting.entries()) {
      if (this.#follow(diff, this.#lastUpdateId) !== 'lost') continue
      this.#restart()
      this.#waiting = waiting.slice(index)
      return 'lost'
    }
    return 'applied'
  }

  #follow(diff: DepthDiff, last: number): 'applied' | 'old' | 'lost' {
    if (diff.lastUpdateId <= last) return 'old'
    if (before(diff) > last) return 'lost'
    this.#bids.set(diff.bids)
    this.#asks.set(diff.asks)
    this.#lastUpdateId = diff.lastUpdateId
    this.#trim()
    return 'applied'
  }

  #keep(diff: DepthDiff): void {
    this.#waiting.push(diff)
    if (this.#waiting.length > this.#maxWaiting) this.#waiting.shift()
  }

  #restart(): void {
    this.#bids.clear()
    this.#asks.clear()
    this.#waiting = []
    this.#lastUpdateId = null
  }

  #trim(): void {
    this.#bids.trim(this.#maxLevels)
    this.#asks.trim(this.#maxLevels)
  }
}

/**
 * The change that has to be in the book before this one: futures name it, on spot ids follow. A change may also reach back behind what the book has, because its
 * quantities are those after its last change.
 */
function before(diff: DepthDiff): number {
  return diff.previousUpdateId ?? diff.firstUpdateId - 1
}

/** The levels of one side, best first. */
class Side {
  readonly #isBetter: (one: Fixed8, other: Fixed8) => boolean
  #levels: PriceLevel[] = []

  constructor(isBetter: (one: Fixed8, other: Fixed8) => boolean) {
    this.#isBetter = isBetter
  }

  best(count: number): readonly PriceLevel[] {
    return this.#levels.slice(0, count)
  }

  /** Puts each price at its quantity; zero removes it. */
  set(levels: readonly PriceLevel[]): void {
    for (const level of levels) {
      const [price, quantity] = level
      const at = this.#placeOf(price)
      const isThere = this.#levels[at]?.[0] === price
      if (quantity === 0) {
        if (isThere) this.#levels.splice(at, 1)
      } else this.#levels.splice(at, isThere ? 1 : 0, level)
    }
  }

  clear(): void {
    this.#levels = []
  }

  trim(most: number): void {
    if (this.#levels.length > most) this.#levels.length = most
  }

  /** Where the price stands, or would. */
  #placeOf(price: Fixed8): number {
    let low = 0
    let high = this.#levels.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBetter((this.#levels[middle] as PriceLevel)[0], price)) low = middle + 1
      else high = middle
    }
    return low
  }
}
