import type { PackedRows } from '../../runtime/store/packedRows.ts'

const chunkBytes = 64 * 1024

/**
 * The bytes of rows one after the other, in chunks that hold whole rows.
 *
 * Keeps them, in chunks of 64 KiB, until they are taken, and of chunks that were released as many as were taken last: new ones each time would have the garbage collector look for old ones.
 */
export class CopyChunks {
  /** What is written into, as bytes and as words. */
  chunk: Buffer = Buffer.alloc(0)
  view: DataView = new DataView(new ArrayBuffer(0))
  /** Where in the chunk the next byte goes. */
  at = 0
  #full: Buffer[] = []
  #fullBytes = 0
  /** Chunks that are full, and those that may be filled again. */
  #used: Buffer[] = []
  readonly #spares: Buffer[] = []
  /** So many of those are enough for as much as was taken last. */
  #enough = 0
  /** Where in the chunk begins what was not taken yet, and where the row that is being written. */
  #from = 0
  #rowAt = 0

  /** Of whole rows. */
  get bytes(): number {
    return this.#fullBytes + this.#rowAt - this.#from
  }

  /** How much was written behind the last row. */
  get begunBytes(): number {
    return this.at - this.#rowAt
  }

  /** So many bytes of that are rows. */
  endRow(bytes: number): void {
    this.#rowAt += bytes
  }

  /** What was written since the last row is none. */
  dropRow(): void {
    this.at = this.#rowAt
  }

  /** @param count how many rows there are */
  take(count: number): PackedRows {
    this.#endPart()
    const chunks = this.#full
    const used = this.#used
    this.#full = []
    this.#fullBytes = 0
    this.#used = []
    this.#enough = used.length + 1
    return { count, chunks, release: () => this.#release(used) }
  }

  /** Makes room for so many bytes more, in a chunk that has the whole of the row. */
  room(bytes: number): void {
    if (this.at + bytes <= this.chunk.length) return
    const begun = this.chunk.subarray(this.#rowAt, this.at)
    this.#endPart()
    this.#used.push(this.chunk)
    // Room for more than this once, or a row of many columns would be moved at each of them.
    const wanted = Math.max(chunkBytes, 2 * (begun.length + bytes))
    const spare = wanted === chunkBytes ? this.#spares.pop() : undefined
    this.chunk = spare ?? Buffer.allocUnsafeSlow(wanted)
    this.view = new DataView(this.chunk.buffer)
    begun.copy(this.chunk)
    this.#from = 0
    this.#rowAt = 0
    this.at = begun.length
  }

  /** What was taken before is stored by then, so nobody reads the beginning of the first of them either. */
  #release(chunks: readonly Buffer[]): void {
    const spares = this.#spares
    for (const chunk of chunks) if (chunk.length === chunkBytes) spares.push(chunk)
    if (spares.length > this.#enough) spares.length = this.#enough
  }

  /** What the chunk has of whole rows goes to what is to be taken. */
  #endPart(): void {
    if (this.#rowAt === this.#from) return
    this.#full.push(this.chunk.subarray(this.#from, this.#rowAt))
    this.#fullBytes += this.#rowAt - this.#from
    this.#from = this.#rowAt
  }
}
