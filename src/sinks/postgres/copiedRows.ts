import type { BinaryRow } from './binaryRow.ts'

const slabBytes = 256 * 1024

interface Slab {
  readonly bytes: Buffer
  used: number
}

/** What a binary COPY has sent, kept as it came until somebody has time for it: meanwhile the server is at work on something else. Holds the bytes, and the room for them once they are cleared. */
export class CopiedRows {
  readonly #slabs: Slab[] = []
  #filling = 0
  #reading = 0
  #at = 0
  #isAtRow = false
  /** Of all of them. */
  byteLength = 0

  /** Takes on a message of the COPY, as a copy. */
  add(message: Buffer): void {
    let slab = this.#slabs[this.#filling]
    if (slab !== undefined && slab.used > 0 && slab.bytes.length - slab.used < message.length) {
      this.#filling += 1
      slab = this.#slabs[this.#filling]
    }
    if (slab === undefined || slab.bytes.length < message.length) {
      slab = { bytes: Buffer.allocUnsafeSlow(Math.max(slabBytes, message.length)), used: 0 }
      this.#slabs[this.#filling] = slab
    }
    message.copy(slab.bytes, slab.used)
    slab.used += message.length
    this.byteLength += message.length
  }

  /** Moves to the next row, once all fields of the one before it were read; false behind the last. */
  next(row: BinaryRow): boolean {
    if (this.#isAtRow) this.#at = row.end
    for (let slab = this.#slabs[this.#reading]; slab !== undefined; slab = this.#slabs[this.#reading]) {
      if (this.#at < slab.used) {
        this.#isAtRow = row.load(slab.bytes, this.#at, slab.used)
        return this.#isAtRow
      }
      this.#reading += 1
      this.#at = 0
    }
    this.#isAtRow = false
    return false
  }

  /** Goes back to before the first row, for a reader that begins anew. */
  rewind(): void {
    this.#reading = 0
    this.#at = 0
    this.#isAtRow = false
  }

  clear(): void {
    for (const slab of this.#slabs) slab.used = 0
    this.#filling = 0
    this.byteLength = 0
    this.rewind()
  }
}
