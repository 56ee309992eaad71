/** What the tracker knows, as plain data for the producer's position. */
export interface EventTimeState {
  /** Newest trade time that is believed, ms UTC; null until enough trades agree. */
  readonly newest: number | null
  /** The timestamp given last, or -1. */
  readonly previous: number
  readonly candidate: TimeCandidate | null
}

interface TimeCandidate {
  readonly time: number
  readonly count: number
  readonly symbol: string
  readonly tradeId: number
}

/** Before the first block of any chain, and past the year 2100: a time in another unit falls far outside. */
const earliestMs = Date.UTC(2009, 0, 3)
const latestMs = Date.UTC(2100, 0, 1)
/** A feed's trades lie seconds apart; an hour leaves room for quiet symbols and is still short of what a wrong time does. */
const maxAheadMs = 3_600_000
/** Trades that a filled gap or another symbol's tape brings in late. */
const maxBehindMs = 86_400_000
/** So many different trades in a row must agree before time leaps: over a halt, say. One absurd trade moves nothing. */
const confirmations = 3

/**
 * Gives each trade the timestamp of its record: its own trade time where that is plausible beside the trades before it, otherwise the timestamp
 * of the record before. Decided by the trades alone, so that a replay stamps alike.
 *
 * Keeps four values, whatever the number of symbols.
 */
export class EventTimeTracker {
  newest: number | null
  previous: number
  #candidate: TimeCandidate | null

  constructor(state?: EventTimeState) {
    this.newest = state?.newest ?? null
    this.previous = state?.previous ?? -1
    this.#candidate = state?.candidate ?? null
  }

  /** @param time ms UTC */
  stamp(time: number, symbol: string, tradeId: number): number {
    if (time < earliestMs || time >= latestMs) return this.previous
    const newest = this.newest
    if (newest !== null && time <= newest + maxAheadMs && time >= newest - maxBehindMs) {
      this.#candidate = null
      if (time > newest) this.newest = time
      this.previous = time
      return time
    }
    const isAgreed = this.#confirm(time, symbol, tradeId)
    // Nothing contradicts the trades before the first agreement, so they keep their own time.
    if (isAgreed || newest === null) this.previous = time
    return this.previous
  }

  snapshot(): EventTimeState {
    return { newest: this.newest, previous: this.previous, candidate: this.#candidate }
  }

  #confirm(time: number, symbol: string, tradeId: number): boolean {
    const candidate = this.#candidate
    if (candidate === null || time < candidate.time - maxAheadMs || time > candidate.time + maxBehindMs) {
      this.#candidate = { time, count: 1, symbol, tradeId }
      return false
    }
    // A repeat of one absurd trade confirms nothing.
    if (candidate.symbol === symbol && candidate.tradeId === tradeId) return false
    if (candidate.count + 1 < confirmations) {
      this.#candidate = { time: Math.max(time, candidate.time), count: candidate.count + 1, symbol, tradeId }
      return false
    }
    this.#candidate = null
    this.newest = Math.max(time, candidate.time)
    return true
  }
}
