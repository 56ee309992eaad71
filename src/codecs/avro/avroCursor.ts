import { latin1Text } from '../latin1.ts'

/** Bytes that are no value of the schema they came with. The message is free of the payload. */
export class AvroMisfit extends Error {
  /** As in `Rejection`. */
  readonly reason: string

  constructor(detail: string, reason = 'malformed') {
    super(detail)
    this.reason = reason
  }
}

/** Values inside values; a schema may name itself, so the bytes decide how deep they go. */
export const maxDepth = 64
/** Values that take no bytes, of which a few bytes could ask for any number. */
const maxEmptyValues = 10_000

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A place in the bytes of one value. Never reads past their end, and bounds what they may ask for. Throws `AvroMisfit`. */
export class AvroCursor {
  buffer: Buffer = Buffer.alloc(0)
  at = 0
  end = 0
  #depth = 0
  #emptyValues = 0

  /** Begins with the bytes at `[start, end)`. */
  open(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer
    this.at = start
    this.end = end
    this.#depth = 0
    this.#emptyValues = 0
  }

  /** Goes into a record, an array or a map; `leave` comes after it. */
  enter(): void {
    this.#depth += 1
    if (this.#depth > maxDepth) throw new AvroMisfit(`nested deeper than ${maxDepth} levels`)
  }

  leave(): void {
    this.#depth -= 1
  }

  /** Counts a value that has taken no bytes since `start`. */
  countEmpty(start: number): void {
    if (this.at !== start) return
    this.#emptyValues += 1
    if (this.#emptyValues > maxEmptyValues)
      throw new AvroMisfit(`more than ${maxEmptyValues} values that take no bytes`)
  }

  byte(): number {
    if (this.at >= this.end) throw this.#cutShort(1)
    return this.buffer[this.at++] as number
  }

  boolean(): boolean {
    const byte = this.byte()
    if (byte > 1) throw new AvroMisfit(`a boolean is byte ${byte}`)
    return byte === 1
  }

  int(): number {
    const value = this.long()
    if (typeof value === 'bigint' || value !== (value | 0)) throw new AvroMisfit('an int of more than 32 bits')
    return value
  }

  /** A number where it is a safe integer, otherwise a bigint. */
  long(): number | bigint {
    const { buffer, end } = this
    let at = this.at
    let low = 0
    // Up to four bytes, 28 bits, in plain numbers.
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) throw this.#cutShort(1)
      const byte = buffer[at++] as number
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = at
        return (low >>> 1) ^ -(low & 1)
      }
    }
    // Up to four more, 56 bits in all: exact doubles still.
    let high = 0
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) throw this.#cutShort(1)
      const byte = buffer[at++] as number
      high |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (high >= 2 ** 25) break
        this.at = at
        const zigzag = high * 2 ** 28 + low
        return low & 1 ? -(zigzag + 1) / 2 : zigzag / 2
      }
    }
    return this.#wideLong()
  }

  #wideLong(): number | bigint {
    let zigzag = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte()
      if (shift === 63n && byte > 1) throw new AvroMisfit('a long of more than 64 bits')
      zigzag |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    const value = zigzag & 1n ? -(zigzag + 1n) / 2n : zigzag / 2n
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
  }

  /** A count of bytes that are there. */
  length(): number {
    const length = this.long()
    if (length < 0) throw new AvroMisfit(`a length of ${length}`)
    if (length > this.end - this.at) throw this.#cutShort(length)
    return length as number
  }

  float(): number {
    return this.buffer.readFloatLE(this.#take(4))
  }

  double(): number {
    return this.buffer.readDoubleLE(this.#take(8))
  }

  /** A copy of so many bytes. */
  bytes(size: number): Buffer {
    const start = this.#take(size)
    return Buffer.from(this.buffer.subarray(start, start + size))
  }

  text(): string {
    const size = this.length()
    const start = this.#take(size)
    const end = this.at
    const { buffer } = this
    for (let at = start; at < end; at += 1) {
      if ((buffer[at] as number) > 0x7f) return wideText(buffer, start, end)
    }
    // All ASCII, for which there is a shorter way than through a decoder.
    return latin1Text(buffer, start, end)
  }

  skip(size: number): void {
    this.#take(size)
  }

  /** How many items the next block of an array or a map has; 0 after the last. */
  blockCount(): number {
    const count = this.long()
    if (typeof count === 'bigint') throw new AvroMisfit(`a block of ${count} items`)
    if (count >= 0) return count
    this.length()
    return -count
  }

  /** Passes over the blocks of an array or a map: whole where they say how long they are, item by item otherwise. */
  skipBlocks(skipItem: (cursor: AvroCursor) => void): void {
    for (let count = this.long(); count !== 0; count = this.long()) {
      if (count < 0) this.skip(this.length())
      else {
        for (let left = count; left > 0; left--) {
          const start = this.at
          skipItem(this)
          this.countEmpty(start)
        }
      }
    }
  }

  /** How many values of a union, or symbols, come before this one. */
  index(count: number, of: string): number {
    const index = this.long()
    if (index < 0 || index >= count) throw new AvroMisfit(`${of} ${index}, of ${count}`)
    return index as number
  }

  #take(size: number): number {
    const start = this.at
    if (size > this.end - start) throw this.#cutShort(size)
    this.at = start + size
    return start
  }

  #cutShort(asked: number | bigint): AvroMisfit {
    return new AvroMisfit(`${asked} bytes are to follow, and ${this.end - this.at} are left`)
  }
}

function wideText(buffer: Buffer, start: number, end: number): string {
  try {
    return utf8.decode(buffer.subarray(start, end))
  } catch {
    throw new AvroMisfit(`a string of ${end - start} bytes that are not UTF-8`)
  }
}
