import type { OutgoingRecord } from '../../runtime/log/log.ts'

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

/** All in ms; times are UTC. */
export interface PartitionQuiet {
  /** Event time, of all partitions, when this one was last heard or told. */
  readonly since: number
  /** How far its own trades trail the newest of all. */
  readonly lag: number
  /** Newest event time that it knows of, by a trade or a heartbeat. */
  readonly told: number
}

/** One entry a partition; null for one without a trade. */
export type HeartbeatState = readonly (PartitionQuiet | null)[]

/**
 * Writes a heartbeat record into each partition that has had a trade and then hears nothing while event time goes on, so that its windows close
 * by data. A function of the records before it: a replay from a stored state writes the same heartbeats at the same places.
 *
 * Quiet means that nothing came, not that what came is old: symbols of a tape may run at different times. A heartbeat trails the newest
 * trade by twice what the partition's own trades trail it by, so it does not make late what was only behind.
 *
 * Keeps three numbers a partition.
 */
export class Heartbeats {
  readonly #options: HeartbeatOptions
  readonly #quiet: (PartitionState | null)[]
  /** No partition is due before event time has come this far. */
  #dueAt = Number.POSITIVE_INFINITY

  constructor(partitions: number, options: HeartbeatOptions, state?: HeartbeatState) {
    this.#options = options
    this.#quiet = Array.from({ length: partitions }, (_, partition) => {
      const kept = state?.[partition] ?? null
      return kept === null ? null : { ...kept }
    })
    this.#reckon()
  }

  /** @param newest event time of all partitions, this trade included */
  onTrade(partition: number, time: number, newest: number): void {
    const quiet = this.#quiet[partition] ?? null
    if (quiet === null) {
      this.#quiet[partition] = { since: newest, lag: newest - time, told: time }
      this.#dueAt = Math.min(this.#dueAt, this.#dueTime(newest))
      return
    }
    // A due time that only moves out leaves the bound valid, if early, without a scan for each trade.
    if (newest < quiet.since) this.#dueAt = Math.min(this.#dueAt, this.#dueTime(newest))
    quiet.since = newest
    // One late trade is forgotten after some hundred others.
    quiet.lag = Math.max(newest - time, quiet.lag - Math.ceil(quiet.lag / 128))
    if (time > quiet.told) quiet.told = time
  }

  /** Times past `newest` are no longer believed. */
  holdBackTo(newest: number): void {
    for (const quiet of this.#quiet) {
      if (quiet === null) continue
      quiet.since = Math.min(quiet.since, newest)
      quiet.told = Math.min(quiet.told, newest)
    }
    this.#reckon()
  }

  /** Event time has come to `newest`: appends what is due to `out`. */
  advance(newest: number, out: OutgoingRecord[]): number {
    if (newest < this.#dueAt) return 0
    let written = 0
    this.#quiet.forEach((quiet, partition) => {
      if (quiet === null || this.#dueTime(quiet.since) > newest) return
      quiet.since = newest - this.#options.marginMs
      const time = quiet.since - 2 * quiet.lag
      if (time <= quiet.told) return
      quiet.told = time
      out.push(heartbeatRecord(partition, time))
      written++
    })
    this.#reckon()
    return written
  }

  /** Newest event time that any partition was heard or told at, or null. */
  newestSince(): number | null {
    let newest: number | null = null
    for (const quiet of this.#quiet)
      if (quiet !== null && (newest === null || quiet.since > newest)) newest = quiet.since
    return newest
  }

  snapshot(): HeartbeatState {
    return this.#quiet.map((quiet) => (quiet === null ? null : { ...quiet }))
  }

  #dueTime(since: number): number {
    return since + this.#options.intervalMs + this.#options.marginMs
  }

  #reckon(): void {
    this.#dueAt = Number.POSITIVE_INFINITY
    for (const quiet of this.#quiet) if (quiet !== null) this.#dueAt = Math.min(this.#dueAt, this.#dueTime(quiet.since))
  }
}

/** @param time ms UTC */
export function heartbeatRecord(partition: number, time: number): OutgoingRecord {
  return { partition, timestamp: time, key: null, value: Buffer.from(`{"e":"heartbeat","E":${time}}`) }
}

interface PartitionState {
  since: number
  lag: number
  told: number
}
