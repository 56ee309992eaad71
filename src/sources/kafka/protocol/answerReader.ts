const MOST_VARINT_BYTES = 5

/** Reads an answer of the protocol of Kafka, field after field. Throws `RangeError` where a field lies beyond its end. */
export class AnswerReader {
  readonly #bytes: Buffer
  #at = 0

  /** @param bytes of one answer, which what `bytes` gives lies in */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int8(): number {
    return this.#bytes.readInt8(this.#pass(1))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#pass(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#pass(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#pass(8))
  }

  /** A text, empty where it is null. */
  text(): string {
    return this.textOrNull() ?? ''
  }

  textOrNull(): string | null {
    return this.bytesOrNull()?.toString() ?? null
  }

  /** A text with a length of two bytes, as before there were flexible versions. */
  plainText(): string {
    const length = Math.max(0, this.int16())
    const start = this.#pass(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  /** Bytes in place, null where there are none. */
  bytesOrNull(): Buffer | null {
    const length = this.varint() - 1
    if (length < 0) return null
    const start = this.#pass(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Bytes with a length of four bytes, as before there were flexible versions; in place. */
  plainBytes(): Buffer {
    const length = Math.max(0, this.int32())
    const start = this.#pass(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** As 36 characters. */
  uuid(): string {
    const start = this.#pass(16)
    const hex = this.#bytes.toString('hex', start, start + 16)
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }

  /** A list, empty where it is null. */
  list<T>(read: () => T): T[] {
    const values: T[] = []
    for (let left = this.varint() - 1; left > 0; left--) values.push(read())
    return values
  }

  /** A list with a length of four bytes, as before there were flexible versions. */
  plainList<T>(read: () => T): T[] {
    const values: T[] = []
    for (let left = this.int32(); left > 0; left--) values.push(read())
    return values
  }

  /** Passes over the tagged fields that end each structure of a flexible version, and shows those that somebody wants to `read`. */
  end(read?: (tag: number) => void): void {
    for (let left = this.varint(); left > 0; left--) {
      const tag = this.varint()
      const start = this.#pass(this.varint())
      const behind = this.#at
      if (read === undefined) continue
      this.#at = start
      read(tag)
      this.#at = behind
    }
  }

  varint(): number {
    let value = 0
    for (let index = 0; index < MOST_VARINT_BYTES; index++) {
      const byte = this.#bytes.readUInt8(this.#pass(1))
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw new RangeError('a number of the answer has no end')
  }

  #pass(bytes: number): number {
    const start = this.#at
    if (start + bytes > this.#bytes.length) throw new RangeError('a field of the answer lies beyond its end')
    this.#at = start + bytes
    return start
  }
}
