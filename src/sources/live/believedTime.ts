import type { Clock } from '../../runtime/clock.ts'
import { EventTimeTracker } from '../market/eventTimeTracker.ts'

/** Which times of the exchange are to be believed. */
export class BelievedTime {
  readonly #perMs: number
  readonly #clock: Clock
  readonly #tracker = new EventTimeTracker()

  constructor(unit: 'ms' | 'us', clock: Clock) {
    this.#perMs = unit === 'us' ? 1_000 : 1
    this.#clock = clock
  }

  /** ms UTC. @param time in the feed's own unit */
  msOf(time: number): number {
    return Math.floor(time / this.#perMs)
  }

  /** @param time ms UTC; null where it is not to be believed beside those before it: one absurd time must not be the newest for ever */
  believed(time: number, symbol: string, id: number): number | null {
    return this.#tracker.stamp(time, symbol, id) === time ? time : null
  }

  /** The time of the machine, or the newest of the exchange where that is later, ms UTC. */
  get latest(): number {
    const now = this.#clock.now()
    return Math.max(now, this.#tracker.newest ?? now)
  }
}
