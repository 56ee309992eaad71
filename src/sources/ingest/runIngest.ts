import { type Clock, systemClock } from '../../runtime/clock.ts'
import { ConfigurationError, RetryableError, TaskFencedError } from '../../runtime/errors.ts'
import type { Feed, FeedProgress, FeedReader } from '../../runtime/log/feed.ts'
import type { LogWriter, OutgoingRecord } from '../../runtime/log/log.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import { feedTarget } from './feedTarget.ts'

/** What is brought where, and in whose name. */
export interface IngestOptions {
  /** Opened, and closed, once and again where something fails. */
  readonly feed: Feed
  /** Of the topic. It is not closed. */
  readonly writer: LogWriter
  /** In whose name the position is kept: one for each feed and topic. */
  readonly producer: string
  /** How many the topic has. */
  readonly partitions: number
  /** Of waits and rates; the system's unless told. */
  readonly clock?: Clock
  /** Ends the ingest after the last batch is appended. */
  readonly signal?: AbortSignal
  /** 2,000 records, 1 MiB and 20 ms unless told. */
  readonly batch?: Partial<IngestBatchOptions>
  /** Told about twice a second, and at the end. */
  readonly onProgress?: (progress: IngestProgress) => void
}

/** How large one append grows. */
export interface IngestBatchOptions {
  /** How many records at most, save where the feed cannot part them. */
  readonly maxRecords: number
  /** Soft: one record, or one yield of a feed of one's own, may be larger. */
  readonly maxBytes: number
  /** Longest wait of a live record for more, ms, so that a busy log is not paid for record by record. */
  readonly lingerMs: number
}

/** How far an ingest is. */
export interface IngestProgress {
  /** Known to be in the log, since this ingest was started. */
  readonly records: number
  /** Records read from the feed in a second, of late. */
  readonly recordsPerSecond: number
  /** null before the feed is open. */
  readonly feed: FeedProgress | null
  /** By the rate so far; null where the feed has no end. */
  readonly timeLeftMs: number | null
  /** What is waited for, in words for a status line, or null. */
  readonly waitingFor: string | null
}

/** How an ingest came to its end. */
export interface IngestReport {
  /** `fenced`: another ingest has claimed the producer and goes on. */
  readonly end: 'feed-ended' | 'stopped' | 'fenced'
  /** Known to be in the log. */
  readonly records: number
  /** Read, but not known to be in the log, because it did not answer before the stop. A feed that can resume reads them again. */
  readonly unconfirmedRecords: number
  /** What the feed had to say about itself at the end. */
  readonly counts: FeedProgress['counts']
}

interface Batch {
  readonly records: readonly OutgoingRecord[]
  readonly before: string | null
  readonly position: string
}

const rules: OptionRules<IngestOptions> = {
  feed: needed.such(
    'a feed, such as defineFeed(…) makes',
    (value) => typeof value === 'object' && value !== null && 'open' in value,
  ),
  writer: needed.record,
  producer: needed.text,
  partitions: needed.number,
  clock: optional.record,
  signal: optional.signal,
  batch: optional.object({ maxRecords: optional.number, maxBytes: optional.number, lingerMs: optional.number }),
  onProgress: optional.anyFunction,
}
const defaultBatch: IngestBatchOptions = { maxRecords: 2_000, maxBytes: 1024 * 1024, lingerMs: 20 }
const firstRetryMs = 100
const longestRetryMs = 5_000
const progressEveryMs = 500

/**
 * Brings a feed's records into a log, in order, until the feed ends, the signal fires or another ingest takes over.
 *
 * Memory: at most two batches, one being appended while the next is read; the feed is asked for more only then. Exactly once for a feed that
 * resumes at its position: the position is stored in the append itself. A live feed loses nothing that it can fetch again. The position of a batch
 * without records is not stored; the next record takes it along.
 * While the feed throws `RetryableError`, it is opened again at the stored position, with waits that double up to 5 s, or longer where the error says so (`retryAfterMs`). While the log does not answer it waits, claims again and goes on behind what was really stored.
 *
 * Throws `ConfigurationError` when the feed or the stored position cannot be used, and whatever else the feed throws; what was read before is in
 * the log then.
 */
export function runIngest(options: IngestOptions): Promise<IngestReport> {
  return new Ingest(options).run()
}

class Ingest {
  readonly #options: IngestOptions
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #batch: IngestBatchOptions
  #reader: FeedReader | null = null
  /** Read and not yet known to be stored, oldest first: at most two. */
  #unconfirmed: Batch[] = []
  #appending: Promise<void> | null = null
  /** Position of the newest batch, stored or on its way. */
  #position: string | null = null
  #read = 0
  #records = 0
  /** Of the reader, or of the last one. */
  #feedProgress: FeedProgress | null = null
  #attempt = 0
  #waitingFor: string | null = null
  #startedAt = 0
  #bytesDoneAtStart: number | null = null
  #reportedAt = 0
  #reportedRead = 0
  #recordsPerSecond = 0

  constructor(options: IngestOptions) {
    checkOptions('runIngest', options, rules)
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#signal = options.signal ?? new AbortController().signal
    this.#batch = { ...defaultBatch, ...options.batch }
    requirePositive('partitions', options.partitions)
    requirePositive('batch.maxRecords', this.#batch.maxRecords)
    requirePositive('batch.maxBytes', this.#batch.maxBytes)
  }

  async run(): Promise<IngestReport> {
    this.#startedAt = this.#clock.now()
    this.#reportedAt = this.#startedAt
    const done = new AbortController()
    const reporting = this.#keepReporting(done.signal)
    try {
      const end = await this.#runUntilEnd()
      this.#report(true)
      return {
        end,
        records: this.#records,
        unconfirmedRecords: this.#unconfirmed.reduce((sum, batch) => sum + batch.records.length, 0),
        counts: this.#look()?.counts ?? {},
      }
    } finally {
      done.abort()
      await reporting
      await this.#closeReader()
    }
  }

  /** Also while a read or an append waits: that is when somebody wants to know how it is. */
  async #keepReporting(end: AbortSignal): Promise<void> {
    if (this.#options.onProgress === undefined) return
    while (!end.aborted) {
      await this.#clock.sleep(progressEveryMs, end)
      if (!end.aborted) this.#report(false)
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
    const { feed, partitions } = this.#options
    this.#reader = await feed.open(position, feedTarget(partitions))
    this.#position = position
  }

  async #pump(): Promise<'feed-ended' | 'stopped'> {
    for (;;) {
      const isStopped = this.#signal.aborted
      const batch = isStopped ? null : await this.#readBatch()
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

  async #readBatch(): Promise<Batch | null> {
    const reader = this.#reader
    if (reader === null) throw new Error('bug: read before open')
    try {
      const read = await reader.read({ ...this.#batch, signal: this.#signal })
      if (read === null) return null
      this.#read += read.records.length
      return { ...read, before: this.#position }
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
    const delayMs = Math.max(error.retryAfterMs ?? 0, Math.min(longestRetryMs, firstRetryMs * 2 ** this.#attempt))
    this.#attempt++
    this.#waitingFor = `${error.message} (attempt ${this.#attempt}, next in ${delayMs} ms)`
    this.#report(true)
    await this.#clock.sleep(delayMs, this.#signal)
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader
    this.#look()
    this.#reader = null
    await reader?.close()
  }

  #look(): FeedProgress | null {
    if (this.#reader !== null) this.#feedProgress = this.#reader.progress()
    return this.#feedProgress
  }

  #report(isDue: boolean): void {
    const { onProgress } = this.#options
    if (onProgress === undefined) return
    const now = this.#clock.now()
    const elapsedMs = now - this.#reportedAt
    if (!isDue && elapsedMs < progressEveryMs) return
    if (elapsedMs > 0) this.#recordsPerSecond = ((this.#read - this.#reportedRead) * 1_000) / elapsedMs
    this.#reportedAt = now
    this.#reportedRead = this.#read
    const feed = this.#look()
    onProgress({
      records: this.#records,
      recordsPerSecond: this.#recordsPerSecond,
      feed,
      timeLeftMs: this.#timeLeftMs(feed, now),
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
