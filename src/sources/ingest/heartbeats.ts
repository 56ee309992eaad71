import type { OutgoingRecord } from '../../runtime/log.ts'

export interface HeartbeatOptions {
  /**
   * How long, in event time, a partition may be quiet before it is told the time. Two seconds keep a quiet symbol's candle about as fresh as the
   * allowed disorder does anyway, at half a record a second and partition.
   */
  readonly intervalMs: number
  /** How far a heartbeat stays behind the newest trade of all partitions, for symbols reach the feed with different delay. */
  readonly marginMs: number
}

export const defaultHeartbeat: HeartbeatOptions = { intervalMs: 2_000, marginMs: 1_000 }

/** Newest event time that each partition has seen by a trade or a heartbeat; null for a partition without a trade. */
export type HeartbeatState = readonly (number | null)[]

/**
 * Writes a heartbeat record into each partition that has had a trade and then stays quiet while event time goes on, so that its windows close
 * by data. A function of the records before it: a replay from a stored state writes the same heartbeats at the same places.
 *
 * Keeps one number a partition.
 */
export class Heartbeats {
  readonly #options: HeartbeatOptions
  readonly #seen: (number | null)[]
  /** No partition is due before event time has come this far. */
  #dueAt = Number.POSITIVE_INFINITY

  constructor(partitions: number, options: HeartbeatOptions, state?: HeartbeatState) {
    this.#options = options
    this.#seen = Array.from({ length: partitions }, (_, partition) => state?.[partition] ?? null)
    this.#reckon()
  }

  onTrade(partition: number, time: number): void {
    const seen = this.#seen[partition] ?? null
    if (seen !== null && time <= seen) return
    this.#seen[partition] = time
    // A partition that is seen later only moves its due time out, so the bound stays valid, if early, without a scan for each trade.
    if (seen === null) this.#dueAt = Math.min(this.#dueAt, this.#dueTime(time))
  }

  /** Trades past `newest` are no longer believed. */
  holdBackTo(newest: number): void {
    this.#seen.forEach((seen, partition) => {
      if (seen !== null && seen > newest) this.#seen[partition] = newest
    })
    this.#reckon()
  }

  /** Event time has come to `newest`: appends what is due to `out`. */
  advance(newest: number, out: OutgoingRecord[]): number {
    if (newest < this.#dueAt) return 0
    const time = newest - this.#options.marginMs
    let written = 0
    for (let partition = 0; partition < this.#seen.length; partition++) {
      const seen = this.#seen[partition] ?? null
      if (seen === null || this.#dueTime(seen) > newest) continue
      this.#seen[partition] = time
      out.push({ partition, timestamp: time, key: null, value: Buffer.from(`{"e":"heartbeat","E":${time}}`) })
      written++
    }
    this.#reckon()
    return written
  }

  /** Newest event time of any partition, or null. */
  newestSeen(): number | null {
    let newest: number | null = null
    for (const seen of this.#seen) if (seen !== null && (newest === null || seen > newest)) newest = seen
    return newest
  }

  snapshot(): HeartbeatState {
    return [...this.#seen]
  }

  #dueTime(seen: number): number {
    return seen + this.#options.intervalMs + this.#options.marginMs
  }

  #reckon(): void {
    this.#dueAt = Number.POSITIVE_INFINITY
    for (const seen of this.#seen) if (seen !== null) this.#dueAt = Math.min(this.#dueAt, this.#dueTime(seen))
  }
}
