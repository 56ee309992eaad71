/** Bits of the lower half of the state; a product of two halves is exact as a double. */
const half = 0x100_0000
const multiplierHigh = 0x5de
const multiplierLow = 0xece66d
const increment = 0xb

/** The generator of java.util.Random: 48 bits, linear congruential. The same seed gives the same draws as in Java. */
export class JavaRandom {
  #high = 0
  #low = 0

  /** @param seed a whole number from 0 */
  seed(seed: number): void {
    this.#high = (Math.floor(seed / half) % half) ^ multiplierHigh
    this.#low = (seed % half) ^ multiplierLow
  }

  /** A signed integer of 32 bits. */
  nextInt32(): number {
    this.#step()
    return (this.#high << 8) | (this.#low >>> 16)
  }

  /** A whole number from 0 up to, not including, the bound. */
  below(bound: number): number {
    let bits = this.nextInt32() >>> 1
    // Of a power of two Java takes the upper bits, which are the better ones.
    if ((bound & (bound - 1)) === 0) return Math.floor((bound * bits) / 0x8000_0000)
    let value = bits % bound
    while (bits - value + (bound - 1) > 0x7fff_ffff) {
      bits = this.nextInt32() >>> 1
      value = bits % bound
    }
    return value
  }

  /** From 0 up to, not including, 1. */
  nextDouble(): number {
    const upper = this.nextInt32() >>> 6
    const lower = this.nextInt32() >>> 5
    return (upper * 0x800_0000 + lower) / 0x20_0000_0000_0000
  }

  #step(): void {
    const low = this.#low * multiplierLow + increment
    this.#high = (this.#high * multiplierLow + this.#low * multiplierHigh + Math.floor(low / half)) % half
    this.#low = low % half
  }
}
