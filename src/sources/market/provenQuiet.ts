import type { OutgoingRecord } from '../../runtime/log.ts'
import { type HeartbeatOptions, type HeartbeatState, heartbeatRecord } from './heartbeats.ts'

/**
 * Writes heartbeats for a feed that knows of each symbol, by the exchange's own words, up to when nothing is missing: a partition is told the time up to
 * which this is known of all its symbols, and no other partition's trades tell it anything. So a symbol whose stream has stalled holds its
 * partition, instead of becoming late.
 *
 * Keeps a time a partition.
 */
export class ProvenQuiet {
  readonly #options: HeartbeatOptions
  readonly #symbols: readonly (readonly string[])[]
  readonly #told: (number | null)[]

  /** @param symbols of each partition */
  constructor(symbols: readonly (readonly string[])[], options: HeartbeatOptions, state?: HeartbeatState) {
    this.#options = options
    this.#symbols = symbols
    this.#told = symbols.map((_, partition) => state?.[partition]?.told ?? null)
  }

  onTrade(partition: number, time: number): void {
    const told = this.#told[partition]
    if (told == null || time > told) this.#told[partition] = time
  }

  /** @param quiet ms UTC up to which everything of a symbol has been handed over; infinite for one that is not traded */
  prove(quiet: ReadonlyMap<string, number>, out: OutgoingRecord[]): number {
    const { intervalMs, marginMs } = this.#options
    let written = 0
    this.#symbols.forEach((symbols, partition) => {
      const told = this.#told[partition]
      if (told == null) return
      let proven = Number.POSITIVE_INFINITY
      for (const symbol of symbols) proven = Math.min(proven, quiet.get(symbol) ?? Number.NEGATIVE_INFINITY)
      const time = proven - marginMs
      // A clock that is wrong by hours must not close windows: steps are small while a feed lives, and after a stop the next trade tells the time.
      if (!Number.isFinite(proven) || time < told + intervalMs || time > told + maxStepMs) return
      this.#told[partition] = time
      out.push(heartbeatRecord(partition, time))
      written++
    })
    return written
  }

  snapshot(): HeartbeatState {
    return this.#told.map((told) => (told === null ? null : { since: told, lag: 0, told }))
  }
}

const maxStepMs = 3_600_000
