import { type Fixed8, type Fixed16, toFixed8 } from './decimal.ts'

const two32 = 4_294_967_296
const perTwo32 = 1 / two32
/** Below this the high part of a product is found exactly from its rounded double. */
export const productBound = 2 ** 83
/** What the two parts of a sum are below. */
export const carryBound = 2 ** 52

/** The low 32 bits of price × quantity, which are safe integers. */
export function lowOfProduct(price: number, quantity: number): number {
  return Math.imul(price, quantity) >>> 0
}

/**
 * What is above them, of a product below the bound that was rounded to a double. Below 2^83 the product and the difference are each rounded by at most 2^29, so the high part is off by at most a quarter before it is rounded to
 * the whole number that it must be.
 */
export function highOfProduct(rounded: number, low: number): number {
  return Math.round((rounded - low) * perTwo32)
}

/**
 * Numbers that change together, side by side in one array of doubles: whole numbers, counts of 1e-8, sums of counts, and sums of price × quantity in counts of 1e-16, each at a place of its own. What does not fit a double exactly
 * is kept beside them as a bigint, so nothing is ever rounded.
 *
 * A sum of products has two places: counts of 1, and counts of 2^32. Adding allocates nothing while the product is below 2^83 (967 million units of the quote asset in one trade).
 */
export class ExactNumbers {
  protected numbers: number[] | Float64Array
  /** By place: a count that is no number, where NaN stands, and what has outgrown the doubles of a sum. */
  #wide: Map<number, bigint> | null = null

  /** @param numbers zeros; of an array that is not typed the first is none, so that it has no object for each number */
  constructor(numbers: number[] | Float64Array) {
    this.numbers = numbers
    numbers[0] = 0
  }

  /** What `setCount` was told. */
  count(at: number): Fixed8 {
    const count = this.numbers[at] as number
    return Number.isNaN(count) ? (this.#wide?.get(at) as bigint) : (count as Fixed8)
  }

  setCount(at: number, count: Fixed8): void {
    if (typeof count === 'number') this.numbers[at] = count
    else {
      this.numbers[at] = Number.NaN
      this.#setWide(at, count)
    }
  }

  /** Adds to a sum of counts. */
  addToSum(at: number, more: Fixed8): void {
    const before = this.numbers[at] as number
    const sum = typeof more === 'number' ? before + more : Number.NaN
    if (Number.isSafeInteger(sum)) this.numbers[at] = sum
    else {
      this.numbers[at] = 0
      this.#addWide(at, BigInt(before) + BigInt(more))
    }
  }

  /** A sum of counts so far. */
  sum(at: number): Fixed8 {
    const sum = this.numbers[at] as number
    const wide = this.#wide?.get(at)
    return wide === undefined ? (sum as Fixed8) : toFixed8(wide + BigInt(sum))
  }

  /** Adds price × quantity to the sum and, for one multiplication, to a second one. Neither may be negative. */
  addProduct(at: number, price: Fixed8, quantity: Fixed8, alsoAt = -1): void {
    if (typeof price === 'number' && typeof quantity === 'number') {
      const rounded = price * quantity
      if (rounded < productBound) {
        const low = lowOfProduct(price, quantity)
        const high = highOfProduct(rounded, low)
        this.#addParts(at, low, high)
        if (alsoAt >= 0) this.#addParts(alsoAt, low, high)
        return
      }
    }
    const product = BigInt(price) * BigInt(quantity)
    this.#addWide(at, product)
    if (alsoAt >= 0) this.#addWide(alsoAt, product)
  }

  /** Adds a sum made elsewhere. */
  addUnits(at: number, value: Fixed16): void {
    if (value >= 0n && value < BigInt(productBound))
      this.#addParts(at, Number(value & 0xffff_ffffn), Number(value >> 32n))
    else this.#addWide(at, value)
  }

  /** A sum of products so far. */
  product(at: number): Fixed16 {
    const low = this.numbers[at] as number
    const high = this.numbers[at + 1] as number
    const wide = this.#wide?.get(at) ?? 0n
    if (high < 2 ** 20 && wide === 0n) return BigInt(high * two32 + low)
    return wide + (BigInt(high) << 32n) + BigInt(low)
  }

  /** Makes so many zero, from `at` on. */
  protected clear(at: number, count: number): void {
    this.numbers.fill(0, at, at + count)
    if (this.#wide !== null) for (let place = at; place < at + count; place += 1) this.#wide.delete(place)
  }

  #addParts(at: number, low: number, high: number): void {
    const { numbers } = this
    let lowSum = (numbers[at] as number) + low
    let highSum = (numbers[at + 1] as number) + high
    if (lowSum >= carryBound) {
      const carry = Math.floor(lowSum * perTwo32)
      lowSum -= carry * two32
      highSum += carry
    }
    if (highSum >= carryBound) {
      this.#addWide(at, BigInt(highSum) << 32n)
      highSum = 0
    }
    numbers[at] = lowSum
    numbers[at + 1] = highSum
  }

  #addWide(at: number, more: bigint): void {
    this.#setWide(at, (this.#wide?.get(at) ?? 0n) + more)
  }

  #setWide(at: number, value: bigint): void {
    this.#wide ??= new Map()
    this.#wide.set(at, value)
  }
}
