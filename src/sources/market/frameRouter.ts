import { earliestTradeMs, latestTradeMs } from '../../market/timeUnit.ts'
import type { FeedTarget } from '../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import { cutFrame } from './cutFrame.ts'
import { EventTimeTracker } from './eventTimeTracker.ts'
import { type HeartbeatOptions, Heartbeats } from './heartbeats.ts'
import type { RouterState } from './marketPosition.ts'
import { type FramePeek, newFramePeek } from './peekFrame.ts'
import { ProvenQuiet } from './provenQuiet.ts'

export interface FrameRouterOptions {
  readonly target: FeedTarget
  /** Unit of the trade time in the frames. */
  readonly timeUnit: 'ms' | 'us'
  /** Trades of other symbols are left out; null takes all. */
  readonly symbols: ReadonlySet<string> | null
  readonly heartbeat: HeartbeatOptions
  readonly maxFrameBytes: number
  readonly peek: (frame: Buffer, into: FramePeek) => void
  /** True where the feed proves by symbol what is quiet; false where the trades of all tell the time. */
  readonly provesQuiet: boolean
}

/** What became of the frames so far. */
export interface RouteCounts {
  /** All of them. */
  frames: number
  trades: number
  heartbeats: number
  /** Written to partition 0 as they are, for the decoder to set aside. */
  unreadable: number
  /** Too large for the log, written cut and marked; counted as unreadable too. */
  oversized: number
  /** Frames of other streams, not written. */
  otherStreams: number
  /** Trades of symbols that were not asked for, not written. */
  otherSymbols: number
  /** The feed's own words on missing trades. */
  gapRecords: number
}

export function newRouteCounts(): RouteCounts {
  return {
    frames: 0,
    trades: 0,
    heartbeats: 0,
    unreadable: 0,
    oversized: 0,
    otherStreams: 0,
    otherSymbols: 0,
    gapRecords: 0,
  }
}

interface Route {
  readonly key: Buffer
  readonly partition: number
}

const maxCachedRoutes = 100_000

/**
 * Decides which record a frame becomes: partition, key and timestamp, and which heartbeats follow it. A pure function of the frames: a router
 * that goes on from a snapshot makes the same records as one that never stopped.
 *
 * Keeps a few numbers a partition and a bounded cache of symbols.
 */
export class FrameRouter {
  readonly counts: RouteCounts
  readonly #options: FrameRouterOptions
  readonly #time: EventTimeTracker
  readonly #heartbeats: Heartbeats | null
  readonly #proven: ProvenQuiet | null
  readonly #routes = new Map<string, Route>()
  readonly #peek = newFramePeek()

  /** @param counts goes on counting where another router of the same feed stopped */
  constructor(options: FrameRouterOptions, counts: RouteCounts = newRouteCounts(), state?: RouterState) {
    this.#options = options
    this.counts = counts
    this.#time = new EventTimeTracker(state?.time)
    const { target, heartbeat, provesQuiet } = options
    this.#heartbeats = provesQuiet ? null : new Heartbeats(target.partitions, heartbeat, state?.heartbeats)
    this.#proven = provesQuiet ? new ProvenQuiet(target, heartbeat, state?.heartbeats) : null
  }

  route(frame: Buffer, out: OutgoingRecord[]): void {
    const { maxFrameBytes } = this.#options
    this.counts.frames++
    if (frame.length > maxFrameBytes) {
      this.counts.oversized++
      this.#setAside(cutFrame(frame, frame.length, maxFrameBytes), out)
      return
    }
    const peek = this.#peek
    this.#options.peek(frame, peek)
    if (peek.kind === 'trade' && peek.isFill) this.#ofThePast(frame, peek, out)
    else if (peek.kind === 'trade') this.#trade(frame, peek, out)
    else if (peek.kind === 'gap') this.#gap(frame, peek, out)
    else if (peek.kind === 'other') this.counts.otherStreams++
    else this.#setAside(frame, out)
  }

  /** The feed knows that everything up to `time` has been handed over. */
  quietThrough(time: number, out: OutgoingRecord[]): void {
    const heartbeats = this.#heartbeats
    const reference = heartbeats?.newestSince() ?? null
    // A clock that is wrong by hours must not close windows: steps are small while a feed lives, and after a stop the next trade tells the time.
    if (heartbeats === null || reference === null || time > reference + maxQuietStepMs) return
    this.counts.heartbeats += heartbeats.advance(time, out)
  }

  /** @param quiet see `FrameBatch` @param symbols that are taken now */
  prove(quiet: ReadonlyMap<string, number>, symbols: readonly string[], out: OutgoingRecord[]): void {
    this.counts.heartbeats += this.#proven?.prove(quiet, symbols, out) ?? 0
  }

  get newestTradeTime(): number | null {
    return this.#time.newest
  }

  snapshot(): RouterState {
    return { time: this.#time.snapshot(), heartbeats: this.#heartbeats?.snapshot() ?? this.#proven?.snapshot() ?? [] }
  }

  #trade(frame: Buffer, { symbol, tradeId, tradeTime }: FramePeek, out: OutgoingRecord[]): void {
    const { symbols, timeUnit } = this.#options
    if (symbols !== null && !symbols.has(symbol)) {
      this.counts.otherSymbols++
      return
    }
    const time = timeUnit === 'us' ? Math.floor(tradeTime / 1_000) : tradeTime
    const before = this.#time.newest
    const timestamp = this.#time.stamp(time, symbol, tradeId)
    const { key, partition } = this.#routeOf(symbol)
    out.push({ partition, timestamp, key, value: frame })
    this.counts.trades++
    // A record that was stamped with another's time says nothing about its own partition.
    const newest = this.#time.newest
    const isOwnTime = timestamp === time
    if (isOwnTime) this.#proven?.onTrade(partition, time)
    const heartbeats = this.#heartbeats
    if (isOwnTime) heartbeats?.onTrade(partition, time, newest ?? time)
    if (newest === null) return
    if (before === null || newest < before) {
      heartbeats?.holdBackTo(newest)
      this.#proven?.holdBackTo(newest)
    }
    if (heartbeats === null) return
    this.counts.heartbeats += heartbeats.advance(newest, out)
  }

  /** A trade that was missing has its own time, and tells nobody what time it is. */
  #ofThePast(frame: Buffer, { symbol, tradeTime }: FramePeek, out: OutgoingRecord[]): void {
    const { symbols, timeUnit } = this.#options
    if (symbols !== null && !symbols.has(symbol)) {
      this.counts.otherSymbols++
      return
    }
    const time = timeUnit === 'us' ? Math.floor(tradeTime / 1_000) : tradeTime
    // A log may refuse records from the future, and would go on doing so.
    const timestamp = time >= earliestTradeMs && time <= latestTradeMs ? time : this.#time.previous
    out.push({ ...this.#routeOf(symbol), timestamp, value: frame })
    this.counts.trades++
  }

  #gap(frame: Buffer, { symbol }: FramePeek, out: OutgoingRecord[]): void {
    out.push({ ...this.#routeOf(symbol), timestamp: this.#time.previous, value: frame })
    this.counts.gapRecords++
  }

  #setAside(value: Buffer, out: OutgoingRecord[]): void {
    this.counts.unreadable++
    out.push({ partition: 0, timestamp: this.#time.previous, key: null, value })
  }

  #routeOf(symbol: string): Route {
    let route = this.#routes.get(symbol)
    if (route === undefined) {
      const key = Buffer.from(symbol)
      route = { key, partition: this.#options.target.partitionOf(key) }
      if (this.#routes.size >= maxCachedRoutes) this.#routes.clear()
      this.#routes.set(symbol, route)
    }
    return route
  }
}

const maxQuietStepMs = 3_600_000
