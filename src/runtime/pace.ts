import { type Clock, sleptEnough } from './clock.ts'

/** Timers are as exact as this, so what one comes too late may be caught up. */
const catchUpMs = 10

/**
 * Lets calls go at most so many a second, one after the other at equal distances, so that no second has more of them, wherever it is said to begin. It delays and drops nothing.
 */
export class Pace {
  readonly #everyMs: number
  readonly #clock: Clock
  readonly #over = new AbortController()
  #nextAt = Number.NEGATIVE_INFINITY
  #waiting = 0

  constructor(perSecond: number, clock: Clock) {
    this.#everyMs = 1_000 / perSecond
    this.#clock = clock
  }

  /** Resolves when the next call may go; after `abandon` it never does. */
  async next(): Promise<void> {
    const now = this.#clock.now()
    // A clock that was set back must not hold calls up until it has caught up.
    const latest = now + this.#everyMs * (this.#waiting + 1)
    const at = Math.min(Math.max(this.#nextAt, now - catchUpMs), latest)
    this.#nextAt = at + this.#everyMs
    if (at <= now) return
    this.#waiting += 1
    await this.#clock.sleep(Math.ceil(at - now), this.#over.signal)
    this.#waiting -= 1
    if (this.#over.signal.aborted) await new Promise(() => undefined)
  }

  /** Nothing goes any more. */
  abandon(): void {
    this.#over.abort(sleptEnough)
  }
}
