import { frameHeaderBytes } from '../registry/schemaFrame.ts'

const firstBytes = 256

/** The bytes of one value as they are written, with room for the header before them. Grows as needed and is used again. */
export class AvroSink {
  #buffer = Buffer.alloc(firstBytes)
  #at = frameHeaderBytes

  start(): void {
    this.#at = frameHeaderBytes
  }

  /** A copy of what was written, with the header's place before it. */
  take(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at))
  }

  byte(byte: number): void {
    const at = this.#reserve(1)
    this.#buffer[at] = byte
  }

  long(value: number | bigint): void {
    if (typeof value === 'number' && value >= -0x40000000 && value < 0x40000000) {
      let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
      for (; zigzag > 0x7f; zigzag >>>= 7) this.byte((zigzag & 0x7f) | 0x80)
      this.byte(zigzag)
      return
    }
    const wide = BigInt(value)
    let zigzag = wide < 0n ? -2n * wide - 1n : 2n * wide
    for (; zigzag > 0x7fn; zigzag >>= 7n) this.byte(Number(zigzag & 0x7fn) | 0x80)
    this.byte(Number(zigzag))
  }

  float(value: number): void {
    const at = this.#reserve(4)
    this.#buffer.writeFloatLE(value, at)
  }

  double(value: number): void {
    const at = this.#reserve(8)
    this.#buffer.writeDoubleLE(value, at)
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length)
    this.#buffer.set(bytes, at)
  }

  text(text: string): void {
    const size = Buffer.byteLength(text)
    this.long(size)
    const at = this.#reserve(size)
    this.#buffer.write(text, at)
  }

  #reserve(size: number): number {
    const at = this.#at
    this.#at += size
    if (this.#at > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#at, 2 * this.#buffer.length))
      this.#buffer.copy(larger, 0, 0, at)
      this.#buffer = larger
    }
    return at
  }
}
