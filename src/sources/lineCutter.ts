const newline = 0x0a
const carriageReturn = 0x0d
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])

/** What a line that is longer than allowed becomes, of its start and its full length. */
export type LongLine = (start: Buffer, fullLength: number, maxLineBytes: number) => Buffer

/**
 * Cuts bytes into lines, without their line ends, without a byte order mark at their beginning and without blank ones, and keeps count of the bytes, so that a reader can go on behind any
 * line.
 *
 * Holds the start of one unfinished line, at most `maxLineBytes` of it; what is longer becomes what `onLong` makes of it.
 */
export class LineCutter {
  /** Bytes up to the end of the last whole line handed over. */
  bytesDone: number
  /** Whole lines handed over, blank ones included. */
  linesDone: number
  readonly #maxLineBytes: number
  readonly #onLong: LongLine
  #held: Buffer[] = []
  #heldBytes = 0
  #lineBytes = 0

  constructor(maxLineBytes: number, onLong: LongLine, bytesDone: number, linesDone: number) {
    this.#maxLineBytes = maxLineBytes
    this.#onLong = onLong
    this.bytesDone = bytesDone
    this.linesDone = linesDone
  }

  /**
   * Appends the next line that ends in `chunk`, unless it is blank, to `out` and gives where in the chunk to go on; -1 when no line ends in the rest of it, which is
   * then held.
   */
  next(chunk: Buffer, from: number, out: Buffer[]): number {
    const end = chunk.indexOf(newline, from)
    if (end < 0) {
      this.#hold(chunk.subarray(from))
      return -1
    }
    const part = chunk.subarray(from, end)
    this.bytesDone += this.#lineBytes + part.length + 1
    if (this.#lineBytes === 0 && part.length <= this.#maxLineBytes) this.#emit(part, out)
    else {
      this.#hold(part)
      this.#emitHeld(out)
    }
    this.linesDone++
    return end + 1
  }

  /** The last line may lack its line end. */
  finish(out: Buffer[]): void {
    if (this.#lineBytes === 0) return
    this.bytesDone += this.#lineBytes
    this.#emitHeld(out)
    this.linesDone++
  }

  #hold(part: Buffer): void {
    this.#lineBytes += part.length
    const room = this.#maxLineBytes - this.#heldBytes
    if (room <= 0 || part.length === 0) return
    // A copy, because a small part must not keep a whole chunk alive.
    const kept = Buffer.from(part.subarray(0, room))
    this.#held.push(kept)
    this.#heldBytes += kept.length
  }

  #emitHeld(out: Buffer[]): void {
    const line = Buffer.concat(this.#held, this.#heldBytes)
    if (this.#lineBytes > this.#maxLineBytes) out.push(this.#onLong(line, this.#lineBytes, this.#maxLineBytes))
    else this.#emit(line, out)
    this.#held = []
    this.#heldBytes = 0
    this.#lineBytes = 0
  }

  #emit(line: Buffer, out: Buffer[]): void {
    let end = line.length
    if (end > 0 && line[end - 1] === carriageReturn) end--
    const start =
      this.linesDone === 0 && line.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? byteOrderMark.length : 0
    if (isBlank(line, start, end)) return
    out.push(start === 0 && end === line.length ? line : line.subarray(start, end))
  }
}

function isBlank(line: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++)
    if (line[at] !== 0x20 && line[at] !== 0x09 && line[at] !== carriageReturn) return false
  return true
}
