import { type BinaryRow, rowAt } from './binaryRow.ts'

const slabBytes = 256 * 1024
interface Slab {
  readonly bytes: Buffer
  used: number
}

/** Where a row stands among those that were copied, as long as they are held. */
export interface RowPlace {
  readonly slab: number
  readonly at: number
}

/** What a binary COPY has sent, kept as it came until somebody has time for it: meanwhile the server is at work on something else. Holds the bytes, and the room for them once they are cleared. */
export class CopiedRows {
  readonly #slabs: Slab[] = []
  #filling = 0
  /** Of all rows. */
  byteLength = 0

  /** Where the next row that is added can be read from. */
  get end(): RowPlace {
    return { slab: this.#filling, at: this.#slabs[this.#filling]?.used ?? 0 }
  }

  /** Takes on a message of the COPY, as a copy. */
  add(message: Buffer): void {
    const from = rowAt(message)
    if (from < 0) return
    const length = message.length - from
    let slab = this.#slabs[this.#filling]
    if (slab !== undefined && slab.used > 0 && slab.bytes.length - slab.used < length) {
      this.#filling += 1
      slab = this.#slabs[this.#filling]
    }
    if (slab === undefined || slab.bytes.length < length) {
      slab = { bytes: Buffer.allocUnsafeSlow(Math.max(slabBytes, length)), used: 0 }
      this.#slabs[this.#filling] = slab
    }
    message.copy(slab.bytes, slab.used, from)
    slab.used += length
    this.byteLength += length
  }

  /** Reads the rows from a place on, the first one if left out. Good until they are cleared. */
  reader(from: RowPlace = { slab: 0, at: 0 }): RowReader {
    return new RowReader(this.#slabs, from)
  }

  clear(): void {
    for (const slab of this.#slabs) slab.used = 0
    this.#filling = 0
    this.byteLength = 0
  }
}

/** Walks rows that were copied. */
export class RowReader {
  readonly #slabs: readonly Slab[]
  #slab: number
  #at: number
  #isAtRow = false

  constructor(slabs: readonly Slab[], { slab, at }: RowPlace) {
    this.#slabs = slabs
    this.#slab = slab
    this.#at = at
  }

  /** Moves to the next row, once all fields of the one before it were read; false behind the last. */
  next(row: BinaryRow): boolean {
    if (this.#isAtRow) this.#at = row.end
    for (let slab = this.#slabs[this.#slab]; slab !== undefined; slab = this.#slabs[this.#slab]) {
      this.#isAtRow = this.#at < slab.used
      if (this.#isAtRow) {
        row.load(slab.bytes, this.#at)
        return true
      }
      this.#slab += 1
      this.#at = 0
    }
    return false
  }
}
