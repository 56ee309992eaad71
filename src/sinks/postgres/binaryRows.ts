import type { Fixed8, Fixed16 } from '../../exact/decimal.ts'
import { GrowingBytes } from '../../runtime/growingBytes.ts'

/** Signature, flags and no extension of a binary COPY (PostgreSQL manual, COPY, File Formats). */
const header = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const endOfRows = Buffer.from([0xff, 0xff])
/** Of a row, which its fields follow. */
const countBytes = 2
const base = 10_000
/** Two digits of base 10,000. */
const bigPair = 100_000_000n
const limb = 2 ** 32
const numericHeaderBytes = 8
const negative = 0x4000
const digitsOf8 = 2
const digitsOf16 = 4

/** Rows as a COPY (FORMAT binary) takes them, each value in the very bytes in which the server sends it from a column of as many places. Holds them until they are cleared, and the room for them after that. */
export class BinaryRows {
  readonly #bytes = new GrowingBytes()
  /** Where each row begins. */
  readonly #starts: number[] = []
  /** Digits of base 10,000, the lowest first. */
  readonly #digits: number[] = []

  get count(): number {
    return this.#starts.length
  }

  clear(): void {
    this.#bytes.clear()
    this.#starts.length = 0
  }

  beginRow(fields: number): void {
    this.#starts.push(this.#bytes.length)
    const room = this.#bytes.room(countBytes)
    this.#bytes.length = room.writeInt16BE(fields, this.#bytes.length)
  }

  text(value: string): void {
    const size = Buffer.byteLength(value)
    const room = this.#field(size)
    room.write(value, this.#bytes.length)
    this.#bytes.length += size
  }

  /** A whole number of 64 bits, or a time in microseconds since 2000: a safe integer. */
  long(value: number): void {
    const room = this.#field(8)
    const high = Math.floor(value / limb)
    room.writeInt32BE(high, this.#bytes.length)
    this.#bytes.length = room.writeUInt32BE(value - high * limb, this.#bytes.length + 4)
  }

  /** Of a column with eight places. */
  fixed8(value: Fixed8): void {
    if (typeof value === 'bigint') this.#wide(value, digitsOf8)
    else {
      const digits = this.#digits
      digits.length = 0
      for (let rest = Math.abs(value); rest > 0; rest = Math.floor(rest / base)) digits.push(rest % base)
      this.#numeric(value < 0, digitsOf8)
    }
  }

  /** Of a column with sixteen places. */
  fixed16(value: Fixed16): void {
    this.#wide(value, digitsOf16)
  }

  /** Whether the fields of a row are, in their bytes, those that stand there. */
  isSame(row: number, bytes: Buffer, from: number, to: number): boolean {
    const [start, end] = [(this.#starts[row] as number) + countBytes, this.#endOf(row)]
    return end - start === to - from && this.#bytes.all.compare(bytes, from, to, start, end) === 0
  }

  /** What a COPY takes of these rows. */
  copyBytes(rows: readonly number[]): Buffer {
    const { all } = this.#bytes
    const isAll = rows.length === this.count
    const parts = isAll ? [all] : rows.map((row) => all.subarray(this.#starts[row], this.#endOf(row)))
    return Buffer.concat([header, ...parts, endOfRows])
  }

  #endOf(row: number): number {
    return this.#starts[row + 1] ?? this.#bytes.length
  }

  /** Room for a field, behind its length. */
  #field(size: number): Buffer {
    const room = this.#bytes.room(4 + size)
    this.#bytes.length = room.writeInt32BE(size, this.#bytes.length)
    return room
  }

  #wide(value: bigint, places: number): void {
    const digits = this.#digits
    digits.length = 0
    for (let rest = value < 0n ? -value : value; rest > 0n; rest /= bigPair) {
      const two = Number(rest % bigPair)
      digits.push(two % base, Math.floor(two / base))
    }
    this.#numeric(value < 0n, places)
  }

  /** @param places how many of the digits stand behind the point */
  #numeric(isNegative: boolean, places: number): void {
    const digits = this.#digits
    let end = digits.length
    while (end > 0 && digits[end - 1] === 0) end -= 1
    let start = 0
    while (start < end && digits[start] === 0) start += 1
    const room = this.#field(numericHeaderBytes + 2 * (end - start))
    let at = room.writeUInt16BE(end - start, this.#bytes.length)
    at = room.writeInt16BE(end === 0 ? 0 : end - 1 - places, at)
    at = room.writeUInt16BE(isNegative ? negative : 0, at)
    at = room.writeUInt16BE(4 * places, at)
    for (let i = end - 1; i >= start; i--) at = room.writeUInt16BE(digits[i] as number, at)
    this.#bytes.length = at
  }
}
