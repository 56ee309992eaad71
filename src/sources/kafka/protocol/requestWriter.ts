const FIRST_BYTES = 256
const NO_UUID = Buffer.alloc(16)

/** Writes a request of the protocol of Kafka into one buffer that grows: numbers big-endian, and since its flexible versions lengths as varints that are one more than they say. */
export class RequestWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)
  #length = 0

  int8(value: number): this {
    const at = this.#grow(1)
    this.#bytes.writeInt8(value, at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int16(value: number): this {
    const at = this.#grow(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#grow(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: bigint): this {
    const at = this.#grow(8)
    this.#bytes.writeBigInt64BE(value, at)
    return this
  }

  /** A text; null where the field may be. */
  text(value: string | null): this {
    if (value === null) return this.#varint(0)
    return this.bytes(Buffer.from(value))
  }

  /** A text as it was written before there were flexible versions, with a length of two bytes. */
  plainText(value: string): this {
    const bytes = Buffer.from(value)
    this.int16(bytes.length)
    return this.#copy(bytes)
  }

  bytes(value: Buffer): this {
    this.#varint(value.length + 1)
    return this.#copy(value)
  }

  /** Bytes as they were written before there were flexible versions, with a length of four bytes. */
  plainBytes(value: Buffer): this {
    this.int32(value.length)
    return this.#copy(value)
  }

  /** The id of a topic as 36 characters; null for none. */
  uuid(value: string | null): this {
    return this.#copy(value === null ? NO_UUID : Buffer.from(value.replaceAll('-', ''), 'hex'))
  }

  list<T>(values: readonly T[], write: (value: T) => void): this {
    this.#varint(values.length + 1)
    for (const value of values) write(value)
    return this
  }

  /** No tagged fields: what ends each structure of a flexible version. */
  end(): this {
    return this.int8(0)
  }

  /** What was written, behind its length in four bytes. */
  framed(): Buffer {
    const frame = Buffer.allocUnsafe(4 + this.#length)
    frame.writeInt32BE(this.#length)
    this.#bytes.copy(frame, 4, 0, this.#length)
    return frame
  }

  #varint(value: number): this {
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) this.#byte((rest & 0x7f) | 0x80)
    return this.#byte(rest)
  }

  #byte(value: number): this {
    const at = this.#grow(1)
    this.#bytes[at] = value
    return this
  }

  #copy(value: Buffer): this {
    const at = this.#grow(value.length)
    value.copy(this.#bytes, at)
    return this
  }

  /** Makes room for so many bytes, and gives where they begin. */
  #grow(bytes: number): number {
    const at = this.#length
    this.#length = at + bytes
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, 2 * this.#bytes.length))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    return at
  }
}
