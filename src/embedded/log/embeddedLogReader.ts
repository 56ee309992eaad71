import type pg from 'pg'
import type { Clock } from '../../runtime/clock.ts'
import { ConfigurationError, CorruptRecordError, OffsetOutOfRangeError } from '../../runtime/errors.ts'
import type { FetchOptions, LogBounds, LogReader, RecordBatch } from '../../runtime/log.ts'
import type { Arrivals } from '../../sources/arrivals.ts'
import { RecordBatchWalker } from '../../sources/recordBatch/walker.ts'
import { run } from './database.ts'
import { type BatchRows, readRows } from './readRows.ts'
import { BOUNDS } from './statements.ts'

export interface EmbeddedLogReaderOptions {
  readonly pool: pg.Pool
  readonly topic: string
  readonly partition: number
  readonly arrivals: Arrivals
  readonly clock: Clock
  /** How long a reader that has caught up waits before it looks again: what another process appends is seen after that. */
  readonly pollMs: number
}

/** A query under way, and from where on. */
interface Query {
  readonly offset: number
  readonly rows: Promise<BatchRows | null>
}

/**
 * Reads one partition of the embedded log. Holds the rows of one fetch and of one query ahead, each up to `maxBytes` or one batch.
 */
export class EmbeddedLogReader implements LogReader {
  readonly partition: number
  readonly #options: EmbeddedLogReaderOptions
  readonly #walker: RecordBatchWalker
  #offset = 0
  #query: Query | null = null
  /** Only then may records below the earliest offset be met: a batch is deleted when all of it is below. */
  #isSought = true
  #isClosed = false

  constructor(options: EmbeddedLogReaderOptions) {
    this.partition = options.partition
    this.#options = options
    this.#walker = new RecordBatchWalker(options.topic, options.partition)
  }

  seek(offset: number): void {
    this.#offset = offset
    this.#isSought = true
  }

  async fetch({ maxBytes, maxWaitMs, signal }: FetchOptions): Promise<RecordBatch | null> {
    const { clock, arrivals, pollMs } = this.#options
    const until = clock.now() + maxWaitMs
    for (;;) {
      if (this.#isClosed || signal?.aborted === true) return null
      const rows = await this.#nextRows(maxBytes, signal)
      if (rows === 'aborted') return null
      const leftMs = until - clock.now()
      const isGap = rows !== null && rows.baseOffset > this.#offset
      // Once a fetch at most: a reader that waits asks for rows many times, and for the bounds before it gives up.
      if (this.#isSought || isGap || (rows === null && leftMs <= 0)) await this.#checkRange()
      if (isGap) throw this.#missing(rows)
      if (rows !== null) return this.#handOver(rows, maxBytes)
      if (leftMs <= 0) return null
      await arrivals.wait(this.partition, Math.min(leftMs, pollMs), signal)
    }
  }

  async bounds(): Promise<LogBounds> {
    const { pool, topic } = this.#options
    const place = { topic, partition: this.partition }
    const doing = `read the bounds of ${topic}/${this.partition}`
    const values = [topic, this.partition]
    const [row] = await run<{ earliest: string; next: string }>(pool, doing, place, BOUNDS, values)
    if (row === undefined) {
      throw new ConfigurationError(`Topic ${topic} has no partition ${this.partition}.`, place)
    }
    return { earliest: Number(row.earliest), next: Number(row.next) }
  }

  /** Also waits for a query that is under way, so that the pool can end after it. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#options.arrivals.wake(this.partition)
    await this.#query?.rows.catch(() => {})
  }

  /** The rows from the current offset on; a query that was started ahead for it counts. Stays under way when the signal fires. */
  async #nextRows(maxBytes: number, signal?: AbortSignal): Promise<BatchRows | null | 'aborted'> {
    let isAhead = this.#query?.offset === this.#offset
    for (;;) {
      const query = isAhead && this.#query !== null ? this.#query : this.#start(maxBytes)
      const outcome = signal === undefined ? await query.rows : await unlessAborted(query.rows, signal)
      if (outcome === 'aborted') return outcome
      this.#query = null
      if (outcome !== null || !isAhead) return outcome
      // Nothing, said before this fetch was asked for: something may have come since.
      isAhead = false
    }
  }

  #start(maxBytes: number): Query {
    const { pool, topic, partition } = this.#options
    const query = { offset: this.#offset, rows: readRows(pool, { topic, partition }, this.#offset, maxBytes) }
    // A failure is thrown by the fetch that asks for these rows; until then, and without one, nobody handles it.
    query.rows.catch(() => {
      if (this.#query === query) this.#query = null
    })
    this.#query = query
    return query
  }

  #handOver(rows: BatchRows, maxBytes: number): RecordBatch {
    const batch = this.#walker.load(rows.bytes, { startOffset: this.#offset, gaplessFrom: rows.baseOffset })
    this.#offset = rows.nextOffset
    this.#isSought = false
    if (rows.isCutOff) this.#start(maxBytes)
    return batch
  }

  #missing(rows: BatchRows): CorruptRecordError {
    const { topic } = this.#options
    return new CorruptRecordError(
      `${topic}/${this.partition} lacks the batch with offset ${this.#offset}: the next one begins at ${rows.baseOffset}. ` +
        'Rows were deleted by another hand than the retention; restore them, or choose to go on behind the gap.',
      { topic, partition: this.partition, offset: this.#offset },
    )
  }

  async #checkRange(): Promise<void> {
    const { topic } = this.#options
    const { earliest, next } = await this.bounds()
    if (this.#offset < earliest || this.#offset > next) {
      throw new OffsetOutOfRangeError(
        `${topic}/${this.partition} holds offsets ${earliest} to ${next} (the next one), not ${this.#offset}. ` +
          `Records below ${earliest} are gone: seek to ${earliest} to lose them knowingly.`,
        { topic, partition: this.partition, offset: this.#offset },
      )
    }
    this.#isSought = false
  }
}

async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value | 'aborted'> {
  const aborted = Promise.withResolvers<'aborted'>()
  const abort = () => aborted.resolve('aborted')
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
