import type { NumericBytes } from '../../sinks/postgres/numericBytes.ts'

const ZERO = 0x30
const MINUS = 0x2d
const POINT = 0x2e
const chunkDigits = 6
/** Of a digit of base 10,000. */
const groupDigits = 4
const safeDigits = 15
const limb = 2 ** 32
/** With another digit of base 10,000 behind it, this is a safe integer still. */
const mostBeforeGroup = Math.floor((Number.MAX_SAFE_INTEGER - 9_999) / 10_000)
const powers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const

/**
 * Reads decimals as whole numbers of 128 bits, in four parts of 32, without a bigint for each: columns of a file have millions of them.
 */
export class DecimalLimbs {
  /** In two's complement, the lowest part first. */
  low = 0
  middle = 0
  upper = 0
  high = 0

  /** Takes on the number that stands there, times ten to the power of the scale. False where it is none, where digits are left behind the scale, or where it has more than the precision, which is 38 at most. */
  read(text: string, start: number, end: number, precision: number, scale: number): boolean {
    this.low = this.middle = this.upper = this.high = 0
    const isNegative = text.charCodeAt(start) === MINUS
    let at = isNegative ? start + 1 : start
    const first = at
    let digits = 0
    let pending = 0
    let pendingDigits = 0
    // A safe integer, whichever digits they are; from then on what a part times their power leaves room for.
    let room = safeDigits
    let places = -1
    for (; at < end; at++) {
      const code = text.charCodeAt(at)
      if (code === POINT) {
        if (places >= 0 || at === first || at === end - 1) return false
        places = 0
        continue
      }
      const digit = code - ZERO
      if (digit < 0 || digit > 9) return false
      if (places === scale) {
        if (digit !== 0) return false
        continue
      }
      if (places >= 0) places += 1
      if (digits > 0 || digit > 0) digits += 1
      pending = pending * 10 + digit
      pendingDigits += 1
      if (pendingDigits === room) {
        this.#shift(pendingDigits, pending)
        pending = 0
        pendingDigits = 0
        room = chunkDigits
      }
    }
    if (at === first) return false
    let missing = scale - Math.max(places, 0)
    if (digits > 0) digits += missing
    if (digits > precision) return false
    if (pendingDigits > 0) this.#shift(pendingDigits, pending)
    for (; missing > 0 && digits > 0; missing -= chunkDigits) this.#shift(Math.min(missing, chunkDigits), 0)
    if (isNegative) this.#negate()
    return true
  }

  /** Takes on a numeric as the server sends it, times ten to the power of the scale; false as `read` gives it. */
  readNumeric(numeric: NumericBytes, precision: number, scale: number): boolean {
    this.low = this.middle = this.upper = this.high = 0
    if (!numeric.isFinite) return false
    const { weight } = numeric
    const whole = Math.floor(scale / groupDigits)
    let power = weight
    let sum = 0
    for (; power >= -whole && sum <= mostBeforeGroup; power--) sum = sum * 10_000 + numeric.digit(power)
    this.middle = Math.floor(sum / limb)
    this.low = sum - this.middle * limb
    for (; power >= -whole; power--) this.#shift(groupDigits, numeric.digit(power))
    // Where the scale ends within a digit of base 10,000, the rest of that has to be 0, and so does all behind it.
    const left = scale - whole * groupDigits
    const divisor = powers[groupDigits - left] as number
    const partial = numeric.digit(-whole - 1)
    if (left > 0 ? partial % divisor !== 0 : partial !== 0) return false
    if (left > 0) this.#shift(left, partial / divisor)
    if (numeric.count - weight - 1 > whole + 1) return false
    // The first digit of base 10,000 has one to four decimal ones, and those behind it four.
    const first = numeric.count === 0 ? 0 : numeric.digit(weight)
    const digits = (first >= 1_000 ? 4 : first >= 100 ? 3 : first >= 10 ? 2 : 1) + groupDigits * weight + scale
    if (first > 0 && digits > precision) return false
    if (numeric.isNegative) this.#negate()
    return true
  }

  /** Takes on a whole number of 64 bits as the server sends it, and adds another to it. */
  readLong(bytes: Buffer, at: number, added = 0): void {
    const upper = bytes.readInt32BE(at)
    const low = bytes.readUInt32BE(at + 4) + (added % limb)
    this.low = low % limb
    const middle = upper + Math.floor(added / limb) + (low >= limb ? 1 : 0)
    this.middle = middle >>> 0
    this.upper = this.high = middle < 0 ? 0xffff_ffff : 0
  }

  /** Some further digits. */
  #shift(count: number, more: number): void {
    if (this.low === 0 && this.middle === 0 && this.upper === 0 && this.high === 0) {
      this.middle = Math.floor(more / limb)
      this.low = more - this.middle * limb
      return
    }
    const factor = powers[count] as number
    let sum = this.low * factor + more
    let carry = Math.floor(sum / limb)
    this.low = sum - carry * limb
    if (carry === 0 && this.middle === 0 && this.upper === 0 && this.high === 0) return
    sum = this.middle * factor + carry
    carry = Math.floor(sum / limb)
    this.middle = sum - carry * limb
    if (carry === 0 && this.upper === 0 && this.high === 0) return
    sum = this.upper * factor + carry
    carry = Math.floor(sum / limb)
    this.upper = sum - carry * limb
    this.high = (this.high * factor + carry) % limb
  }

  #negate(): void {
    this.low = ~this.low >>> 0
    this.middle = ~this.middle >>> 0
    this.upper = ~this.upper >>> 0
    this.high = ~this.high >>> 0
    this.low = (this.low + 1) >>> 0
    if (this.low !== 0) return
    this.middle = (this.middle + 1) >>> 0
    if (this.middle !== 0) return
    this.upper = (this.upper + 1) >>> 0
    if (this.upper === 0) this.high = (this.high + 1) >>> 0
  }

  /** Whether 64 bits hold it. */
  get fits64(): boolean {
    const sign = this.middle >= 0x8000_0000 ? 0xffff_ffff : 0
    return this.upper === sign && this.high === sign
  }

  /** Below 0, 0, or above. */
  compare(other: DecimalLimbs): number {
    return (
      (this.high | 0) - (other.high | 0) ||
      this.upper - other.upper ||
      this.middle - other.middle ||
      this.low - other.low
    )
  }

  copy(other: DecimalLimbs): void {
    this.low = other.low
    this.middle = other.middle
    this.upper = other.upper
    this.high = other.high
  }

  /** 16 bytes, the highest first. */
  putWide(bytes: DataView, at: number): void {
    bytes.setUint32(at, this.high)
    bytes.setUint32(at + 4, this.upper)
    bytes.setUint32(at + 8, this.middle)
    bytes.setUint32(at + 12, this.low)
  }

  /** 8 bytes, the lowest first. */
  putNarrow(bytes: DataView, at: number): void {
    bytes.setUint32(at, this.low, true)
    bytes.setUint32(at + 4, this.middle, true)
  }

  /** The fewest bytes, the highest first. */
  shortest(): Buffer {
    const bytes = Buffer.alloc(16)
    this.putWide(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0)
    const sign = (bytes[0] as number) >= 0x80 ? 0xff : 0
    let from = 0
    while (from < 15 && bytes[from] === sign && (bytes[from + 1] as number) >= 0x80 === (sign === 0xff)) from += 1
    return bytes.subarray(from)
  }
}
