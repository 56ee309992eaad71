import { copyText, viewOf, writeInteger } from './ascii.ts'

const OFFSET = Buffer.from('{"offset":')
const TIMESTAMP = Buffer.from(',"timestamp":')
/** Two names, and two numbers of at most 25 characters. */
const ROOM = 80
const ZERO = 0x30
const NINE = 0x39

/**
 * Writes what every line begins with: `{"offset":7,"timestamp":1723161255342`. Keeps the one it wrote last and changes what is another in the next: a digit or two of the offset, for offsets mostly count on by
 * one, and the time only where it is another.
 */
export class LineHead {
  readonly #bytes = Buffer.alloc(ROOM)
  readonly #view = viewOf(this.#bytes)
  #offset = Number.NaN
  #timestamp = Number.NaN
  /** Where the digits of the offset end. */
  #offsetEnd = 0
  #length = 0

  constructor() {
    OFFSET.copy(this.#bytes)
  }

  /** Writes it for a record of that offset and time to `target` at `at`, and gives the position after it. `target` has 80 bytes of room there. */
  write(offset: number, timestamp: number, target: DataView, at: number): number {
    const isNext = offset === this.#offset + 1 && offset > 0 && Number.isSafeInteger(offset)
    if (!(isNext && this.#countOn())) this.#begin(offset, timestamp)
    else if (timestamp !== this.#timestamp) this.#writeTime(timestamp)
    this.#offset = offset
    copyText(this.#view, 0, target, at, this.#length)
    return at + this.#length
  }

  /** Adds one to the digits of the offset; false where it has no digits of its own left for that, and then they are of no use. */
  #countOn(): boolean {
    const bytes = this.#bytes
    let at = this.#offsetEnd - 1
    for (; bytes[at] === NINE; at -= 1) bytes[at] = ZERO
    if (at < OFFSET.length) return false
    bytes[at] = (bytes[at] as number) + 1
    return true
  }

  #begin(offset: number, timestamp: number): void {
    this.#offsetEnd = writeInteger(offset, this.#bytes, this.#view, OFFSET.length)
    TIMESTAMP.copy(this.#bytes, this.#offsetEnd)
    this.#writeTime(timestamp)
  }

  #writeTime(timestamp: number): void {
    this.#length = writeInteger(timestamp, this.#bytes, this.#view, this.#offsetEnd + TIMESTAMP.length)
    this.#timestamp = timestamp
  }
}
