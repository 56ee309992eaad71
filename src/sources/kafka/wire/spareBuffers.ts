const MOST_SPARES = 3
/** What came in one piece is used where it is; what is smaller than this is not worth keeping, what is larger not to be kept. */
const LEAST_BYTES = 64 << 10
const MOST_BYTES = 4 << 20

/**
 * Joins what came in pieces into buffers that are used again: a new one for each response would keep the garbage collector busy.
 *
 * Keeps up to three of at most 4 MiB.
 */
export class SpareBuffers {
  readonly #spares: Buffer[] = []
  readonly #lent = new WeakSet<ArrayBufferLike>()

  /** The pieces as one buffer, valid until it is given back. */
  joined(pieces: readonly Buffer[]): Buffer {
    const [only] = pieces
    if (only !== undefined && pieces.length === 1) return only
    let length = 0
    for (const piece of pieces) length += piece.length
    const buffer = this.#take(length)
    let at = 0
    for (const piece of pieces) {
      buffer.set(piece, at)
      at += piece.length
    }
    return buffer.subarray(0, length)
  }

  giveBack(buffer: Buffer): void {
    const whole = buffer.buffer
    if (!this.#lent.delete(whole) || this.#spares.length >= MOST_SPARES) return
    this.#spares.push(Buffer.from(whole))
  }

  #take(length: number): Buffer {
    const index = this.#spares.findIndex((spare) => spare.length >= length)
    const [found] = index < 0 ? [] : this.#spares.splice(index, 1)
    // One that is too small would never be used again, since responses are as large as is asked for.
    if (found === undefined && this.#spares.length > 0) this.#spares.shift()
    const buffer = found ?? Buffer.allocUnsafeSlow(Math.max(LEAST_BYTES, 1 << Math.ceil(Math.log2(length))))
    if (buffer.length <= MOST_BYTES) this.#lent.add(buffer.buffer)
    return buffer
  }
}
