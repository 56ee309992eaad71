/**
 * Zigzag varints as Kafka and Protocol Buffers write them: seven bits a byte, lowest first, the sign in the lowest bit. Numbers up
 * to the safe integers; above 31 bits the arithmetic leaves the 32-bit operators.
 */

/** How many bytes `value` takes. */
export function varintBytes(value: number): number {
  let rest = zigzag(value)
  let bytes = 1
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80)
    bytes++
  }
  return bytes
}

/** Writes `value` at `at` and gives the place behind it. */
export function writeVarint(buffer: Uint8Array, at: number, value: number): number {
  let rest = zigzag(value)
  let end = at
  while (rest >= 0x80) {
    buffer[end++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  buffer[end++] = rest
  return end
}

/** Reads numbers of up to 32 bits, one after the other, out of bytes that somebody has checked. Throws `RangeError` past their end. */
export class VarintReader {
  readonly #bytes: Buffer
  /** Where the next number starts. */
  at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  next(): number {
    let bits = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.at++)
      bits |= (byte & 0x7f) << shift
      if (byte < 0x80) return (bits >>> 1) ^ -(bits & 1)
    }
  }
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}
