import type { Fixed8, Fixed16 } from './decimal.ts'
import { ExactNumbers } from './exactNumbers.ts'

/**
 * The exact sum of price × quantity, in counts of 1e-16.
 *
 * Holds two doubles, both whole and below 2^53, and a bigint for what has outgrown them; adding allocates nothing while the product is below 2^83
 * (967 million units of the quote asset in one trade).
 */
export class ProductSum {
  private readonly numbers = new ExactNumbers([0.5, 0])

  /** A sum that starts at the value, in counts of 1e-16. */
  static from(value: Fixed16): ProductSum {
    const sum = new ProductSum()
    sum.addUnits(value)
    return sum
  }

  /** Adds price × quantity here and to a second sum. Neither may be negative. */
  add(price: Fixed8, quantity: Fixed8, alsoTo: ProductSum | null = null): void {
    this.numbers.addProduct(0, price, quantity)
    alsoTo?.numbers.addProduct(0, price, quantity)
  }

  /** Adds a sum made elsewhere. */
  addUnits(value: Fixed16): void {
    this.numbers.addUnits(0, value)
  }

  /** The sum so far, in counts of 1e-16. */
  toBigInt(): Fixed16 {
    return this.numbers.product(0)
  }
}
