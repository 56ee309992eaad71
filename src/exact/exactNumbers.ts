import { addFixed8, type Fixed8, type Fixed16 } from './decimal.ts'

const two32 = 4_294_967_296
const perTwo32 = 1 / two32
/** Below this a product's high part is found exactly from its rounded double; see `addProduct`. */
const productBound = 2 ** 83
const carryBound = 2 ** 52

/** Records of columns: those of `records[from]` up to, not including, `records[to]`. */
export interface Taken {
  readonly records: Int32Array
  /** By the place of the record in `records`: where the numbers begin that it is added to. */
  readonly rows: Int32Array
  readonly from: number
  readonly to: number
}

/**
 * Numbers that change together, side by side in one array of doubles: whole numbers, counts of 1e-8, and sums of price × quantity in counts of 1e-16, each at a place of its own. What does not fit a double exactly is kept beside
 * them as a bigint, so nothing is ever rounded.
 *
 * A sum of products has two places: counts of 1, and counts of 2^32. Adding allocates nothing while the product is below 2^83 (967 million units of the quote asset in one trade).
 */
export class ExactNumbers {
  protected readonly numbers: number[]
  /** By place: a count that is no number, where NaN stands, and what has outgrown the two doubles of a sum. */
  #wide: Map<number, bigint> | null = null

  /** @param numbers zeros, save that the first is none: an array that begins with a double has no object for each number */
  constructor(numbers: number[]) {
    this.numbers = numbers
    numbers[0] = 0
  }

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

  addToCount(at: number, more: Fixed8): void {
    const sum = typeof more === 'number' ? (this.numbers[at] as number) + more : Number.NaN
    if (Number.isSafeInteger(sum)) this.numbers[at] = sum
    else this.setCount(at, addFixed8(this.count(at), more))
  }

  /** Adds the counts of many records to the counts at `at`, and to those at `alsoAt` all but those of the excepted, of which the column says 1. */
  addCounts(at: number, alsoAt: number, counts: Float64Array, except: Float64Array, taken: Taken): void {
    const { numbers } = this
    const { records, rows, to } = taken
    for (let i = taken.from; i < to; i += 1) {
      const record = records[i] as number
      const row = rows[i] as number
      const count = counts[record] as number
      const more = except[record] === 1 ? 0 : count
      const sum = (numbers[row + at] as number) + count
      const also = (numbers[row + alsoAt] as number) + more
      // Of what is no safe integer, NaN for one, nothing is added here.
      if (Math.abs(sum) <= Number.MAX_SAFE_INTEGER && Math.abs(also) <= Number.MAX_SAFE_INTEGER) {
        numbers[row + at] = sum
        numbers[row + alsoAt] = also
      } else {
        this.addToCount(row + at, count as Fixed8)
        this.addToCount(row + alsoAt, more as Fixed8)
      }
    }
  }

  /** Adds price × quantity of many records to the sums at `at`, and to those at `alsoAt` all but those of the excepted. None may be negative. */
  addProducts(
    at: number,
    alsoAt: number,
    prices: Float64Array,
    quantities: Float64Array,
    except: Float64Array,
    taken: Taken,
  ): void {
    const { numbers } = this
    const { records, rows, to } = taken
    for (let i = taken.from; i < to; i += 1) {
      const record = records[i] as number
      const place = (rows[i] as number) + at
      const alsoPlace = (rows[i] as number) + alsoAt
      const price = prices[record] as number
      const quantity = quantities[record] as number
      const rounded = price * quantity
      const low = Math.imul(price, quantity) >>> 0
      const high = Math.round((rounded - low) * perTwo32)
      const lowSum = (numbers[place] as number) + low
      const highSum = (numbers[place + 1] as number) + high
      const isExcepted = except[record] === 1
      const alsoLow = (numbers[alsoPlace] as number) + low
      const alsoHigh = (numbers[alsoPlace + 1] as number) + high
      if (rounded < productBound && Math.max(lowSum, highSum, alsoLow, alsoHigh) < carryBound) {
        numbers[place] = lowSum
        numbers[place + 1] = highSum
        if (isExcepted) continue
        numbers[alsoPlace] = alsoLow
        numbers[alsoPlace + 1] = alsoHigh
      } else this.addProduct(place, price as Fixed8, quantity as Fixed8, isExcepted ? -1 : alsoPlace)
    }
  }

  /** Adds price × quantity to the sum and, for one multiplication, to a second one. Neither may be negative. */
  addProduct(at: number, price: Fixed8, quantity: Fixed8, alsoAt = -1): void {
    if (typeof price === 'number' && typeof quantity === 'number') {
      const rounded = price * quantity
      if (rounded < productBound) {
        // Below 2^83 the product and the difference are each rounded by at most 2^29, so the high part is off by at most
        // a quarter before it is rounded to the whole number that it must be.
        const low = Math.imul(price, quantity) >>> 0
        const high = Math.round((rounded - low) * perTwo32)
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

  /** The sum so far. */
  product(at: number): Fixed16 {
    const low = this.numbers[at] as number
    const high = this.numbers[at + 1] as number
    const wide = this.#wide?.get(at) ?? 0n
    if (high < 2 ** 20 && wide === 0n) return BigInt(high * two32 + low)
    return wide + (BigInt(high) << 32n) + BigInt(low)
  }

  /** Makes so many zero, from `at` on; adds them where they are not there yet. */
  protected clear(at: number, count: number): void {
    const { numbers } = this
    for (let place = at; place < at + count; place += 1) {
      if (place < numbers.length) numbers[place] = 0
      else numbers.push(0)
      this.#wide?.delete(place)
    }
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
