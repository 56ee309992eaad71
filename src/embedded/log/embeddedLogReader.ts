import type pg from 'pg'
import type { Clock } from '../../runtime/clock.ts'
import { ConfigurationError, CorruptRecordError, OffsetOutOfRangeError } from '../../runtime/errors.ts'
import type { FetchOptions, LogBounds, LogReader, RecordBatch } from '../../runtime/log/log.ts'
import type { Arrivals } from '../../sources/arrivals.ts'
import { firstRecordAt } from '../../sources/recordBatch/firstRecordAt.ts'
import { RecordBatchWalker } from '../../sources/recordBatch/walker.ts'
import { run } from './database.ts'
import { type BatchRows, readRows } from './readRows.ts'
import { BOUNDS, FIRST_BATCH_AT } from './statements.ts'

export interface EmbeddedLogReaderOptions {
  readonly pool: pg.Pool
  readonly topic: string
  readonly partition: number
  readonly arrivals: Arrivals
  readonly clock: Clock
  /** How long a reader that has caught up waits before it looks again: what another process appends is seen after that. */
  readonly pollMs: number
  readonly onClose: () => void
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
  #isClosed = false

  constructor(options: EmbeddedLogReaderOptions) {
    this.partition = options.partition
    this.#options = options
    this.#walker = new RecordBatchWalker(options.topic, options.partition)
  }

  seek(offset: number): void {
    this.#offset = offset
    // Also a query for the same place: the retention may have passed it, and only a new one looks at the bounds.
    this.#query = null
  }

  async fetch({ maxBytes, maxWaitMs, signal }: FetchOptions): Promise<RecordBatch | null> {
    this.#walker.release()
    const { clock, arrivals, pollMs } = this.#options
    const until = clock.now() + maxWaitMs
    for (;;) {
      if (this.#isClosed || signal?.aborted === true) return null
      const rows = await this.#nextRows(maxBytes, signal)
      if (rows === 'aborted') return null
      if (rows !== null) return this.#handOver(rows, maxBytes)
      const leftMs = until - clock.now()
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

  async offsetAt(time: number): Promise<number> {
    const { pool, topic } = this.#options
    const { partition } = this
    const doing = `look for a time in ${topic}/${partition}`
    for (let from = 0; ; ) {
      const { earliest, next } = await this.bounds()
      from = Math.max(from, earliest)
      const values = [topic, partition, from, time]
      const [first] = await run<{ base: string }>(pool, doing, { topic, partition }, FIRST_BATCH_AT, values)
      if (first === undefined) return next
      const rows = await readRows(pool, { topic, partition, offset: Number(first.base) }, 1)
      // The retention has passed it meanwhile.
      if (rows === null) continue
      const batch = new RecordBatchWalker(topic, partition).load(rows.bytes, { startOffset: from })
      const found = firstRecordAt(time, batch)
      if (found !== null) return found
      // Its newest record lies below what is left of it.
      from = rows.nextOffset
    }
  }

  /** A query that is under way ends by itself, and its connection goes back to the pool. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#query = null
    this.#options.arrivals.wake(this.partition)
    this.#options.onClose()
  }

  /** The rows from the current offset on; a query for it that is under way counts, and stays so when the signal fires. */
  async #nextRows(maxBytes: number, signal?: AbortSignal): Promise<BatchRows | null | 'aborted'> {
    for (;;) {
      const earlier = this.#query?.offset === this.#offset ? this.#query : null
      const query = earlier ?? this.#start(this.#readInRange(this.#offset, maxBytes))
      const outcome = await (signal === undefined ? query.rows : unlessAborted(query.rows, signal)).catch(
        (error: unknown) => {
          this.#query = null
          throw error
        },
      )
      if (outcome === 'aborted') return outcome
      this.#query = null
      // Nothing, said before this fetch was asked for, is no answer: something may have come since.
      if (outcome !== null || earlier === null) return outcome
    }
  }

  #start(rows: Promise<BatchRows | null>): Query {
    const query = { offset: this.#offset, rows }
    // A failure is thrown by the fetch that asks for these rows; until then, and without one, nobody handles it.
    rows.catch(() => {})
    this.#query = query
    return query
  }

  /** Asks for the bounds first: a reader that has caught up costs one small query each time it looks. */
  async #readInRange(offset: number, maxBytes: number): Promise<BatchRows | null> {
    const { next } = await this.#requireInRange(offset)
    if (next === offset) return null
    const rows = await this.#readRows(offset, maxBytes)
    if (rows === null) throw await this.#missing(offset, `it ends before ${next}`, next)
    return rows
  }

  async #readRows(offset: number, maxBytes: number): Promise<BatchRows | null> {
    const { pool, topic } = this.#options
    const rows = await readRows(pool, { topic, partition: this.partition, offset }, maxBytes)
    if (rows === null || rows.baseOffset <= offset) return rows
    throw await this.#missing(offset, `the next one begins at ${rows.baseOffset}`, rows.baseOffset)
  }

  /** Either the retention has passed the reader meanwhile, which throws here, or rows are gone that should be there. */
  async #missing(offset: number, found: string, nextOffset: number): Promise<CorruptRecordError> {
    await this.#requireInRange(offset)
    const { topic } = this.#options
    return new CorruptRecordError(
      `${topic}/${this.partition} lacks the batch with offset ${offset}: ${found}. ` +
        'Rows were deleted by another hand than the retention; restore them.',
      { topic, partition: this.partition, offset, nextOffset },
    )
  }

  #handOver(rows: BatchRows, maxBytes: number): RecordBatch {
    const batch = this.#walker.load(rows.bytes, { startOffset: this.#offset, gaplessFrom: rows.baseOffset })
    if (this.#walker.isWhole && batch.nextOffset !== rows.nextOffset) {
      const { topic } = this.#options
      throw new CorruptRecordError(
        `The rows of ${topic}/${this.partition} from ${rows.baseOffset} end before offset ${rows.nextOffset}, but their batches before ` +
          `${batch.nextOffset}: restore the log.`,
        { topic, partition: this.partition, offset: rows.baseOffset },
      )
    }
    this.#offset = rows.nextOffset
    // Behind a batch that is far larger than what was asked for, another such one should not come before it is done with.
    if (rows.isCutOff && rows.bytes.length <= 4 * maxBytes) this.#start(this.#readRows(rows.nextOffset, maxBytes))
    return batch
  }

  async #requireInRange(offset: number): Promise<LogBounds> {
    const bounds = await this.bounds()
    const { earliest, next } = bounds
    if (offset >= earliest && offset <= next) return bounds
    const { topic } = this.#options
    throw new OffsetOutOfRangeError(
      `${topic}/${this.partition} holds offsets ${earliest} to ${next} (the next one), not ${offset}. ` +
        `Records below ${earliest} are gone: seek to ${earliest} to lose them knowingly.`,
      { topic, partition: this.partition, offset },
    )
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
