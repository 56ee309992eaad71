/** Signature and flags of a binary COPY, and the length of an extension that comes after it (PostgreSQL manual, COPY, File Formats). */
const extensionLengthAt = 15
const headerBytes = 19
const endOfRows = -1

/** Walks the rows of a COPY (FORMAT binary) as its messages come, and the fields of each: where a field lies in the bytes of its message. */
export class BinaryRow {
  /** Of the message at hand, as long as that is valid. */
  bytes: Buffer = Buffer.alloc(0)
  /** Where the field at hand begins. */
  start = 0
  /** Of the field at hand, in bytes; -1 for null. */
  length = -1
  #isBegun = false
  #next = 0

  /** Takes on a message, or what stands in some bytes from there to there; false where it holds no row. */
  load(message: Buffer, from = 0, to = message.length): boolean {
    // The header comes in one message with the first row.
    let at = from
    if (!this.#isBegun) at += headerBytes + message.readInt32BE(from + extensionLengthAt)
    this.#isBegun = true
    if (at === to || message.readInt16BE(at) === endOfRows) return false
    this.bytes = message
    this.#next = at + 2
    return true
  }

  /** Where the row ends, once all of its fields were read. */
  get end(): number {
    return this.#next
  }

  /** Moves to the next field; false for null. */
  next(): boolean {
    this.length = this.bytes.readInt32BE(this.#next)
    this.start = this.#next + 4
    this.#next = this.start + Math.max(0, this.length)
    return this.length >= 0
  }

  /** Moves behind the next fields. */
  skip(fields: number): void {
    for (let n = 0; n < fields; n++) this.next()
  }

  /** The next field, which is a bigint or a time that is not null: as it is while that is a safe integer, else the nearest double. */
  nextLong(): number {
    this.next()
    return this.long()
  }

  /** The field at hand, as `nextLong` gives it. */
  long(): number {
    return this.bytes.readInt32BE(this.start) * 2 ** 32 + this.bytes.readUInt32BE(this.start + 4)
  }
}
