import type { AnswerBuffers } from '../protocol/connection.ts'

const MOST_SPARES = 3
/** Sizes are multiples of it. */
const STEP_BYTES = 64 << 10
/** What is larger is not kept. */
const MOST_BYTES = 4 << 20

/**
 * Buffers for large answers, used again: a new one for each would keep the garbage collector busy.
 *
 * Keeps up to three of at most 4 MiB.
 */
export class SpareBuffers implements AnswerBuffers {
  readonly #spares: Buffer[] = []
  readonly #lent = new WeakSet<ArrayBufferLike>()

  take(length: number): Buffer {
    const index = this.#spares.findIndex((spare) => spare.length >= length)
    const [found] = index < 0 ? [] : this.#spares.splice(index, 1)
    // One that is too small would never be used again, since responses are as large as is asked for.
    if (found === undefined && this.#spares.length > 0) this.#spares.shift()
    const buffer = found ?? Buffer.allocUnsafeSlow(Math.ceil(length / STEP_BYTES) * STEP_BYTES)
    if (buffer.length <= MOST_BYTES) this.#lent.add(buffer.buffer)
    return buffer.subarray(0, length)
  }

  /** Takes back a buffer, or a part of it, that nobody uses any more. One that it has not given is let go. */
  giveBack(buffer: Buffer): void {
    const whole = buffer.buffer
    if (!this.#lent.delete(whole) || this.#spares.length >= MOST_SPARES) return
    this.#spares.push(Buffer.from(whole))
  }
}
