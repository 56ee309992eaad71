import type { FeedTarget } from '../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import { type HeartbeatOptions, type HeartbeatState, heartbeatRecord } from './heartbeats.ts'

/**
 * Writes heartbeats for a feed that knows of each symbol, by the exchange's own words, up to when nothing is missing: a partition is told the time up to
 * which this is known of all its symbols, and no other partition's trades tell it anything. So a symbol whose stream has stalled holds its
 * partition, instead of becoming late. A partition of which no symbol is taken any more, or traded, waits for nobody: it is told the newest time that is proven of another one.
 *
 * Keeps a time a partition.
 */
export class ProvenQuiet {
  readonly #options: HeartbeatOptions
  readonly #target: FeedTarget
  readonly #told: (number | null)[]
  /** Those that were taken last, and the same by partition. */
  #taken: readonly string[] = []
  #symbols: readonly (readonly string[])[]

  constructor(target: FeedTarget, options: HeartbeatOptions, state?: HeartbeatState) {
    this.#options = options
    this.#target = target
    this.#told = Array.from({ length: target.partitions }, (_, partition) => state?.[partition]?.told ?? null)
    this.#symbols = this.#told.map(() => [])
  }

  onTrade(partition: number, time: number): void {
    const told = this.#told[partition]
    if (told == null || time > told) this.#told[partition] = time
  }

  /** Times after this one were not to be believed, so nobody has been told them. */
  holdBackTo(newest: number): void {
    this.#told.forEach((told, partition) => {
      if (told !== null && told > newest) this.#told[partition] = newest
    })
  }

  /**
   * @param quiet ms UTC up to which everything of a symbol has been handed over; infinite for one that is not traded
   * @param taken the symbols that are taken now
   */
  prove(quiet: ReadonlyMap<string, number>, taken: readonly string[], out: OutgoingRecord[]): number {
    const { intervalMs, marginMs } = this.#options
    this.#spread(taken)
    const proven = this.#symbols.map((symbols) =>
      Math.min(...symbols.map((symbol) => quiet.get(symbol) ?? Number.NEGATIVE_INFINITY)),
    )
    const newest = Math.max(...proven.filter((time) => time !== Number.POSITIVE_INFINITY))
    let written = 0
    proven.forEach((ofAll, partition) => {
      const told = this.#told[partition]
      if (told == null) return
      const time = (ofAll === Number.POSITIVE_INFINITY ? newest : ofAll) - marginMs
      // A clock that is wrong by hours must not close windows: steps are small while a feed lives, and after a stop the next trade tells the time.
      if (!Number.isFinite(time) || time < told + intervalMs || time > told + maxStepMs) return
      this.#told[partition] = time
      out.push(heartbeatRecord(partition, time))
      written++
    })
    return written
  }

  #spread(taken: readonly string[]): void {
    if (taken === this.#taken) return
    this.#taken = taken
    const found: string[][] = this.#told.map(() => [])
    for (const symbol of taken) found[this.#target.partitionOf(Buffer.from(symbol))]?.push(symbol)
    this.#symbols = found
  }

  snapshot(): HeartbeatState {
    return this.#told.map((told) => (told === null ? null : { since: told, lag: 0, told }))
  }
}

const maxStepMs = 3_600_000
