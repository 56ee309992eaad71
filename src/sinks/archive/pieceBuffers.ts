/** What is given out: a piece of lines and a line to go over its end. */
const BYTES = 288 * 1024
const MOST_SPARES = 12

/**
 * Buffers for pieces of lines of one task, used again once they were packed: new ones would have the garbage collector mark the
 * whole heap many times a second. Keeps at most 12, of 288 KiB each, together with all that have the same spare ones.
 */
export class PieceBuffers {
  readonly bytes = BYTES
  readonly #spares: Buffer[]
  #inUse = 0

  /** @param spares what is not in use, of all tasks that are given the same list */
  constructor(spares: Buffer[] = []) {
    this.#spares = spares
  }

  /** How many were taken and not yet given back. */
  get inUse(): number {
    return this.#inUse
  }

  take(): Buffer {
    this.#inUse++
    return this.#spares.pop() ?? Buffer.allocUnsafeSlow(BYTES)
  }

  /** Takes back what holds the piece, which nobody may use any more. A buffer of another size is let go. */
  giveBack(piece: Buffer): void {
    const { buffer } = piece
    if (buffer.byteLength !== BYTES) return
    this.#inUse--
    if (this.#spares.length < MOST_SPARES) this.#spares.push(Buffer.from(buffer))
  }
}
