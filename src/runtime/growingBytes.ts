/** Bytes that are put one behind the other, and let go of together. */
export class GrowingBytes {
  #bytes = Buffer.allocUnsafeSlow(4_096)
  #view = viewOf(this.#bytes)
  length = 0

  /** Where the next so many go. The buffer is good until the next call. */
  room(count: number): Buffer {
    const needed = this.length + count
    if (needed > this.#bytes.length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length))
      this.#bytes.copy(wider, 0, 0, this.length)
      this.#bytes = wider
      this.#view = viewOf(wider)
    }
    return this.#bytes
  }

  /** The same place, for numbers. */
  roomView(count: number): DataView {
    this.room(count)
    return this.#view
  }

  /** All of them, until more are put. */
  get all(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  clear(): void {
    this.length = 0
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length)
}
