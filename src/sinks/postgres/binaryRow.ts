/** Signature and flags of a binary COPY, and the length of an extension that comes after it (PostgreSQL manual, COPY, File Formats). */
const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const extensionLengthAt = 15
const headerBytes = 19
const countBytes = 2
const endOfRows = -1

/** Where the row of a message of a COPY (FORMAT binary) begins; -1 where there is none in it. The header comes in one message with the first row, and no row begins as it does. */
export function rowAt(message: Buffer): number {
  const hasHeader =
    message[0] === signature[0] && message.compare(signature, 0, signature.length, 0, signature.length) === 0
  const at = hasHeader ? headerBytes + message.readInt32BE(extensionLengthAt) : 0
  return at === message.length || message.readInt16BE(at) === endOfRows ? -1 : at
}

/** Walks the fields of rows of a COPY (FORMAT binary): where each lies in the bytes of its row. */
export class BinaryRow {
  /** Of the row at hand, as long as they are valid. */
  bytes: Buffer = Buffer.alloc(0)
  /** Where the field at hand begins. */
  start = 0
  /** Of the field at hand, in bytes; -1 for null. */
  length = -1
  #next = 0

  /** Takes on the row that begins there. */
  load(bytes: Buffer, at: number): void {
    this.bytes = bytes
    this.#next = at + countBytes
  }

  /** Where the next field begins: where the row ends, once all of its fields were read. */
  get end(): number {
    return this.#next
  }

  /** Goes back to a field, as `end` has told where it begins. */
  back(to: number): void {
    this.#next = to
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
