import { type Fixed8, toFixed8 } from '../../exact/decimal.ts'

const base = 10_000
const bigBase = 10_000n
/** How many digits of base 10,000 eight places are. */
const digitsOf8 = 2
const negative = 0x4000
const bigUnit = 100_000_000n

const digitsAt = 8

/** A numeric as PostgreSQL sends it: its digits of base 10,000 behind their number, the power of the first one, the sign and the number of places. */
export class NumericBytes {
  #bytes: Buffer = Buffer.alloc(0)
  #digitsAt = 0
  /** How many digits of base 10,000 it has. */
  count = 0
  /** Of base 10,000: that of the first digit. */
  weight = 0
  isNegative = false
  /** False for NaN and the infinities. */
  isFinite = true

  load(bytes: Buffer, start: number): this {
    const sign = bytes.readUInt16BE(start + 4)
    this.#bytes = bytes
    this.#digitsAt = start + digitsAt
    this.count = bytes.readUInt16BE(start)
    this.weight = bytes.readInt16BE(start + 2)
    this.isNegative = sign === negative
    this.isFinite = sign <= negative
    return this
  }

  /** The digit of a power of 10,000; 0 where it has none. */
  digit(power: number): number {
    const index = this.weight - power
    if (index < 0 || index >= this.count) return 0
    const at = this.#digitsAt + 2 * index
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
  }

  /** Whether it is a number of at most so many digits of base 10,000 behind the point. */
  hasPlaces(digits: number): boolean {
    return this.isFinite && this.count - this.weight - 1 <= digits
  }

  /**
   * The count of 1e-8 that it is.
   * @throws RangeError where it is no number, or has more places
   */
  fixed8(): Fixed8 {
    this.#requirePlaces(digitsOf8)
    return this.#count8()
  }

  /**
   * The count of 1e-16 that it is.
   * @throws RangeError where it is no number, or has more places
   */
  fixed16(): bigint {
    this.#requirePlaces(2 * digitsOf8)
    const rest = BigInt(this.digit(-3) * base + this.digit(-4))
    return BigInt(this.#count8()) * bigUnit + (this.isNegative ? -rest : rest)
  }

  /** Without what is behind eight places. */
  #count8(): Fixed8 {
    let sum = 0
    for (let power = this.weight; power >= -digitsOf8; power--) sum = sum * base + this.digit(power)
    if (sum <= Number.MAX_SAFE_INTEGER) return toFixed8(this.isNegative && sum > 0 ? -sum : sum)
    let wide = 0n
    for (let power = this.weight; power >= -digitsOf8; power--) wide = wide * bigBase + BigInt(this.digit(power))
    return this.isNegative ? -wide : wide
  }

  #requirePlaces(digits: number): void {
    if (!this.isFinite) throw new RangeError('a numeric that is NaN or infinite is no count')
    if (!this.hasPlaces(digits)) throw new RangeError(`a numeric has more than ${4 * digits} places`)
  }
}
