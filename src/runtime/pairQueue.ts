/** So many pairs lie in one piece. */
const piecePairs = 1_024
/** So many pieces are kept for what comes next. */
const mostSpares = 128

interface Piece {
  readonly firsts: Int32Array
  readonly seconds: Float64Array
}

/**
 * Pairs of a small whole number and a number, added at the end and dropped at the beginning.
 *
 * Keeps 12 bytes a pair until it is dropped, in pieces that are filled again: up to 1.5 MB of them. Arrays that grow would leave several times that as garbage between two checkpoints.
 */
export class PairQueue {
  /** How many pairs there are. */
  length = 0
  #pieces: Piece[] = []
  readonly #spares: Piece[] = []
  /** How many pairs of the first piece are dropped. */
  #dropped = 0

  push(first: number, second: number): void {
    const end = this.#dropped + this.length
    const at = end % piecePairs
    if (at === 0 && end === this.#pieces.length * piecePairs) this.#pieces.push(this.#spares.pop() ?? newPiece())
    const { firsts, seconds } = this.#pieces.at(-1) as Piece
    firsts[at] = first
    seconds[at] = second
    this.length += 1
  }

  /** Gives the last pair another second number. */
  setLast(second: number): void {
    const { seconds } = this.#pieces.at(-1) as Piece
    seconds[(this.#dropped + this.length - 1) % piecePairs] = second
  }

  /** Drops so many pairs at the beginning, of those that there are. */
  drop(count: number): void {
    this.#dropped += count
    this.length -= count
    const over = Math.floor(this.#dropped / piecePairs)
    if (over === 0) return
    for (const piece of this.#pieces.slice(0, over)) if (this.#spares.length < mostSpares) this.#spares.push(piece)
    this.#pieces = this.#pieces.slice(over)
    this.#dropped -= over * piecePairs
  }

  /** The pairs in their order. */
  *[Symbol.iterator](): IterableIterator<readonly [first: number, second: number]> {
    for (let at = this.#dropped; at < this.#dropped + this.length; at += 1) {
      const { firsts, seconds } = this.#pieces[Math.floor(at / piecePairs)] as Piece
      yield [firsts[at % piecePairs] as number, seconds[at % piecePairs] as number]
    }
  }
}

function newPiece(): Piece {
  return { firsts: new Int32Array(piecePairs), seconds: new Float64Array(piecePairs) }
}
