const FIRST_BYTES = 64 * 1024
/** What is larger is let go. */
const MOST_BYTES = 8 * 1024 * 1024
const MOST_SPARES = 2

/**
 * Buffers that packed objects grow in, used again once they were stored. An object that is built out of parts would be there twice when it is joined, and parts that live as
 * long as an object have the garbage collector mark the whole heap every few megabytes.
 *
 * Keeps at most two of 8 MiB, of which only what was written to takes memory.
 */
export class BodyBuffers {
  readonly #spares: Buffer[] = []
  /** As much as the last body took: the next will take about as much. */
  #usualBytes = 0

  /** The part behind the first `length` bytes of the body, in a larger buffer where this one has no room; then the old one is another's. */
  append(body: Buffer, length: number, part: Buffer): Buffer {
    const into = length + part.length <= body.length ? body : this.#grown(body, length, part.length)
    part.copy(into, length)
    return into
  }

  /** Takes back a body, or the part of it that was used, that nobody uses any more. */
  giveBack(body: Buffer): void {
    this.#usualBytes = Math.min(Math.ceil(body.length * 1.25), MOST_BYTES)
    this.#keep(body)
  }

  #keep(body: Buffer): void {
    const whole = Buffer.from(body.buffer)
    if (whole.length < FIRST_BYTES || whole.length > MOST_BYTES) return
    this.#spares.push(whole)
    this.#spares.sort((a, b) => a.length - b.length)
    if (this.#spares.length > MOST_SPARES) this.#spares.shift()
  }

  #grown(body: Buffer, length: number, more: number): Buffer {
    const needed = length + more
    const largest = this.#spares.at(-1)
    const hasRoom = largest !== undefined && largest.length >= needed
    const grown = hasRoom ? largest : Buffer.allocUnsafeSlow(this.#sizeOf(body.length, needed))
    if (hasRoom) this.#spares.pop()
    body.copy(grown, 0, 0, length)
    this.#keep(body)
    return grown
  }

  /** What has outgrown the first buffer goes into one of the usual size, and not through all in between. */
  #sizeOf(before: number, needed: number): number {
    return Math.max(FIRST_BYTES, needed, before === 0 ? 0 : Math.max(2 * before, this.#usualBytes))
  }
}
