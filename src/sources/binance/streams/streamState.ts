import type { StreamFrame } from './streamFrame.ts'

/** The newest frame of a stream that was handed over: its order, and what tells it apart from others of that order. */
export type StreamMark = readonly [order: number, minor: number]

/** A frame with its bytes. */
export interface HeldFrame {
  readonly frame: Buffer
  readonly facts: StreamFrame
}

/** So many frames must agree before the order of a stream counts as begun again. */
const restartWitnesses = 3
/** Where a frame has no time beside its order, nothing must have moved for so long: two connections that overlap repeat each other for seconds. */
const restartAfterMs = 60_000

/**
 * Where one stream is, and which of its frames are repeats.
 *
 * An order that begins again (ids of a book after a halt, a clock of the exchange that was wrong) must not make all that follows a repeat: three frames in a row that lie behind while their
 * times go on, or behind for a minute where there is no other time, are taken as a new beginning.
 */
export class StreamState {
  mark: StreamMark | null
  /** When anything of it was heard, ms by the clock. */
  heardAt: number
  /** Between its frames, ms; null before there are some. */
  meanGapMs: number | null = null
  #movedAt: number
  #newestTime: number | null = null
  #behind: HeldFrame[] = []
  #count = 0
  readonly #since: number

  constructor(mark: StreamMark | null, now: number) {
    this.mark = mark
    this.heardAt = now
    this.#movedAt = now
    this.#since = now
  }

  heard(now: number): void {
    this.heardAt = now
    this.#count++
    this.meanGapMs = (now - this.#since) / this.#count
  }

  /** Whether it lies behind what was handed over. */
  isBehind({ order, minor }: StreamFrame): boolean {
    if (this.mark === null) return false
    return order < this.mark[0] || (order === this.mark[0] && minor <= this.mark[1])
  }

  /** @param isBelieved whether its time may be the newest one */
  handOver({ order, minor, time }: StreamFrame, now: number, isBelieved = true): void {
    this.mark = [order, minor]
    this.#movedAt = now
    this.#behind = []
    if (isBelieved && time !== null && time !== order) this.#newestTime = Math.max(time, this.#newestTime ?? time)
  }

  /** For a frame that lies behind: those that are a new beginning together, or null for a repeat. */
  beginAgain(held: HeldFrame, now: number): readonly HeldFrame[] | null {
    const { order, time } = held.facts
    const before = this.#behind.at(-1)
    const hasOwnTime = time !== null && time !== order
    const isLater = hasOwnTime
      ? this.#newestTime !== null && time > this.#newestTime
      : now - this.#movedAt > restartAfterMs
    if (!isLater || (before !== undefined && order <= before.facts.order)) {
      this.#behind = []
      return null
    }
    this.#behind.push(held)
    if (this.#behind.length < restartWitnesses) return null
    const witnesses = this.#behind
    this.#behind = []
    this.mark = null
    return witnesses
  }
}
