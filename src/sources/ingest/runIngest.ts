import { type Clock, systemClock } from '../../runtime/clock.ts'
import { ConfigurationError, RetryableError, TaskFencedError } from '../../runtime/errors.ts'
import type { LogWriter, OutgoingRecord } from '../../runtime/log.ts'
import type { FeedProgress, FeedReader, MarketFeed } from '../feed.ts'
import { defaultMaxFrameBytes } from './cutFrame.ts'
import { FrameRouter, newRouteCounts, type RouteCounts } from './frameRouter.ts'
import { defaultHeartbeat, type HeartbeatOptions } from './heartbeats.ts'
import { formatPosition, parsePosition } from './ingestPosition.ts'

export interface IngestOptions {
  readonly feed: MarketFeed
  readonly writer: LogWriter
  /** In whose name the position is kept: one for each feed and topic. */
  readonly producer: string
  readonly partitions: number
  /** Unit of the trade time in the feed's frames. Default ms. */
  readonly timeUnit?: 'ms' | 'us'
  /** Trades of other symbols are left out. Default: all are taken. */
  readonly symbols?: readonly string[] | null
  readonly clock?: Clock
  /** Ends the ingest after the last batch is appended. */
  readonly signal?: AbortSignal
  readonly batch?: Partial<IngestBatchOptions>
  readonly heartbeat?: Partial<HeartbeatOptions>
  /** A larger frame is written cut and marked. Default 8 MiB. */
  readonly maxFrameBytes?: number
  readonly onProgress?: (progress: IngestProgress) => void
}

export interface IngestBatchOptions {
  readonly maxFrames: number
  readonly maxBytes: number
  /** Longest wait of a live frame for more, so that a busy log is not paid for frame by frame. */
  readonly lingerMs: number
}

export interface IngestProgress {
  /** Since this ingest was started. */
  readonly frames: number
  readonly records: number
  readonly counts: Readonly<RouteCounts>
  readonly framesPerSecond: number
  readonly feed: FeedProgress | null
  /** By the rate so far; null where the feed has no end. */
  readonly timeLeftMs: number | null
  /** Newest trade time that is believed, ms UTC. */
  readonly newestTradeTime: number | null
  /** What is waited for, in words for a status line, or null. */
  readonly waitingFor: string | null
}

export interface IngestReport {
  /** `fenced`: another ingest has claimed the producer and goes on. */
  readonly end: 'feed-ended' | 'stopped' | 'fenced'
  readonly frames: number
  /** Known to be in the log, heartbeats included. */
  readonly records: number
  /** Read, but not known to be in the log, because it did not answer before the stop. A feed that can resume reads them again. */
  readonly unconfirmedRecords: number
  readonly counts: Readonly<RouteCounts>
}

interface Batch {
  readonly records: readonly OutgoingRecord[]
  readonly before: string | null
  readonly position: string
}

const defaultBatch: IngestBatchOptions = { maxFrames: 2_000, maxBytes: 1024 * 1024, lingerMs: 20 }
const firstRetryMs = 100
const longestRetryMs = 5_000
const progressEveryMs = 500

/**
 * Brings a feed's frames into a log, in order, until the feed ends, the signal fires or another ingest takes over.
 *
 * Memory: at most two batches, one being appended while the next is read; the feed is asked for more only then. Exactly once for a feed that
 * resumes at its position (a tape): the position is stored in the append itself. A live feed loses nothing that it can fetch again.
 * While the log does not answer it waits, claims again and goes on behind what was really stored.
 *
 * Throws `ConfigurationError` when the feed or the stored position cannot be used; what was read before is in the log then.
 */
export function runIngest(options: IngestOptions): Promise<IngestReport> {
  return new Ingest(options).run()
}

class Ingest {
  readonly #options: IngestOptions
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #batch: IngestBatchOptions
  readonly #counts: RouteCounts = newRouteCounts()
  #router: FrameRouter | null = null
  #reader: FeedReader | null = null
  /** Read, routed and not yet known to be stored, oldest first: at most two. */
  #unconfirmed: Batch[] = []
  #appending: Promise<void> | null = null
  /** Position of the newest batch, stored or on its way. */
  #position: string | null = null
  #frames = 0
  #records = 0
  #attempt = 0
  #waitingFor: string | null = null
  #startedAt = 0
  #bytesDoneAtStart: number | null = null
  #reportedAt = 0
  #reportedFrames = 0
  #framesPerSecond = 0

  constructor(options: IngestOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#signal = options.signal ?? new AbortController().signal
    this.#batch = { ...defaultBatch, ...options.batch }
    requirePositive('partitions', options.partitions)
    requirePositive('batch.maxFrames', this.#batch.maxFrames)
    requirePositive('batch.maxBytes', this.#batch.maxBytes)
  }

  async run(): Promise<IngestReport> {
    this.#startedAt = this.#clock.now()
    this.#reportedAt = this.#startedAt
    try {
      const end = await this.#runUntilEnd()
      this.#report(true)
      return {
        end,
        frames: this.#frames,
        records: this.#records,
        unconfirmedRecords: this.#unconfirmed.reduce((sum, batch) => sum + batch.records.length, 0),
        counts: { ...this.#counts },
      }
    } finally {
      await this.#closeReader()
    }
  }

  async #runUntilEnd(): Promise<IngestReport['end']> {
    for (let isLastTry = false; ; ) {
      try {
        await this.#claim()
        return await this.#pump()
      } catch (error) {
        if (error instanceof TaskFencedError) return 'fenced'
        if (!(error instanceof RetryableError)) throw error
        if (isLastTry) return 'stopped'
        isLastTry = this.#signal.aborted
        await this.#backOff(error)
        isLastTry ||= this.#signal.aborted
      }
    }
  }

  /** Claims the producer, learns what was really stored and goes on right behind it. */
  async #claim(): Promise<void> {
    const { position } = await this.#options.writer.claim(this.#options.producer)
    if (this.#reader === null || !this.#settleBy(position)) return this.#open(position)
    for (const batch of [...this.#unconfirmed]) {
      await this.#options.writer.append(batch.records, batch.position)
      this.#confirm()
    }
  }

  /** True when the stored position tells which of the unconfirmed batches were stored, so that the rest can be sent again. */
  #settleBy(position: string | null): boolean {
    const stored = this.#unconfirmed.findIndex((batch) => batch.position === position)
    for (let index = 0; index <= stored; index++) this.#confirm()
    return stored >= 0 || this.#unconfirmed[0]?.before === position
  }

  async #open(position: string | null): Promise<void> {
    await this.#closeReader()
    this.#unconfirmed = []
    const { feed, producer, partitions, timeUnit = 'ms', symbols = null, heartbeat, maxFrameBytes } = this.#options
    const resumed = position === null ? null : parsePosition(position, producer, partitions)
    this.#reader = await feed.open(resumed?.feed ?? null)
    this.#position = position
    this.#router = new FrameRouter(
      {
        partitions,
        timeUnit,
        symbols: symbols === null ? null : new Set(symbols),
        heartbeat: { ...defaultHeartbeat, ...heartbeat },
        maxFrameBytes: maxFrameBytes ?? defaultMaxFrameBytes,
      },
      this.#counts,
      resumed?.router,
    )
  }

  async #pump(): Promise<'feed-ended' | 'stopped'> {
    for (;;) {
      const isStopped = this.#signal.aborted
      const batch = isStopped ? null : await this.#read()
      if (batch !== null && batch.records.length > 0) {
        this.#unconfirmed.push(batch)
        this.#position = batch.position
      }
      await this.#appended()
      this.#report(false)
      if (batch === null) return isStopped ? 'stopped' : 'feed-ended'
      if (batch.records.length > 0) this.#append(batch)
    }
  }

  async #read(): Promise<Batch | null> {
    const reader = this.#reader
    const router = this.#router
    if (reader === null || router === null) throw new Error('bug: read before open')
    try {
      const read = await reader.read({ ...this.#batch, signal: this.#signal })
      if (read === null) return null
      const records: OutgoingRecord[] = []
      for (const frame of read.frames) router.route(frame, records)
      if (read.quietThrough !== null) router.quietThrough(read.quietThrough, records)
      this.#frames += read.frames.length
      const position = formatPosition({ feed: read.position, router: router.snapshot() })
      return { records, before: this.#position, position }
    } catch (error) {
      // What came before the failure is sound: it goes into the log first. The reader is not asked again.
      await this.#appended()
      await this.#closeReader()
      throw error
    }
  }

  #append(batch: Batch): void {
    this.#appending = this.#options.writer.append(batch.records, batch.position)
    // It is awaited after the next read; until then a rejection is not unhandled.
    this.#appending.catch(() => undefined)
  }

  async #appended(): Promise<void> {
    const appending = this.#appending
    if (appending === null) return
    this.#appending = null
    await appending
    this.#confirm()
    this.#attempt = 0
    this.#waitingFor = null
  }

  #confirm(): void {
    this.#records += this.#unconfirmed.shift()?.records.length ?? 0
  }

  async #backOff(error: RetryableError): Promise<void> {
    this.#appending = null
    const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** this.#attempt)
    this.#attempt++
    this.#waitingFor = `${error.message} (attempt ${this.#attempt}, next in ${delayMs} ms)`
    this.#report(true)
    await this.#clock.sleep(delayMs, this.#signal)
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader
    this.#reader = null
    await reader?.close()
  }

  #report(isDue: boolean): void {
    const { onProgress } = this.#options
    if (onProgress === undefined) return
    const now = this.#clock.now()
    const elapsedMs = now - this.#reportedAt
    if (!isDue && elapsedMs < progressEveryMs) return
    if (elapsedMs > 0) this.#framesPerSecond = ((this.#frames - this.#reportedFrames) * 1_000) / elapsedMs
    this.#reportedAt = now
    this.#reportedFrames = this.#frames
    const feed = this.#reader?.progress() ?? null
    onProgress({
      frames: this.#frames,
      records: this.#records,
      counts: { ...this.#counts },
      framesPerSecond: this.#framesPerSecond,
      feed,
      timeLeftMs: this.#timeLeftMs(feed, now),
      newestTradeTime: this.#router?.newestTradeTime ?? null,
      waitingFor: this.#waitingFor ?? feed?.waitingFor ?? null,
    })
  }

  #timeLeftMs(feed: FeedProgress | null, now: number): number | null {
    if (feed?.bytesDone == null || feed.bytesTotal === null) return null
    this.#bytesDoneAtStart ??= feed.bytesDone
    const done = feed.bytesDone - this.#bytesDoneAtStart
    if (feed.bytesDone >= feed.bytesTotal) return 0
    return done <= 0 ? null : Math.round(((feed.bytesTotal - feed.bytesDone) * (now - this.#startedAt)) / done)
  }
}

function requirePositive(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return
  throw new ConfigurationError(`runIngest: ${name} must be an integer from 1 up, got ${value}.`)
}
