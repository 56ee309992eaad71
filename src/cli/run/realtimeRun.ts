import { tradeCodec } from '../../codecs/tradeCodec.ts'
import { realtime } from '../../pipelines/realtime.ts'
import type { Archive } from '../../runtime/archive.ts'
import { systemClock } from '../../runtime/clock.ts'
import { RetryableError } from '../../runtime/errors.ts'
import type { LogSource, LogWriter } from '../../runtime/log.ts'
import type { TaskStatus } from '../../runtime/taskStatus.ts'
import { Worker } from '../../runtime/worker.ts'
import { defaultLimits } from '../../runtime/workerLimits.ts'
import { PostgresCheckpointStore } from '../../sinks/postgres/checkpointStore.ts'
import type { PostgresAddress } from '../../sinks/postgres/connection.ts'
import type { MarketFeed } from '../../sources/feed.ts'
import { type IngestProgress, type IngestReport, runIngest } from '../../sources/ingest/runIngest.ts'
import type { RunPlan } from './runPlan.ts'

export interface RealtimeParts {
  readonly plan: RunPlan
  readonly feed: MarketFeed
  readonly source: LogSource
  readonly writer: LogWriter
  readonly partitions: number
  readonly archive: Archive | null
  readonly address: PostgresAddress
  readonly checkpointMs: number
}

/** How a run came to its end. */
export interface RunEnd {
  /** `committed`: the feed ended and all of it is stored. */
  readonly end: 'committed' | 'stopped'
  readonly ingest: IngestReport
  readonly tasks: readonly TaskStatus[]
}

/**
 * Ingest and worker of one run in this process. The worker reads what the ingest has made durable and nothing else, so either may
 * fail without the other losing anything.
 */
export class RealtimeRun {
  readonly #parts: RealtimeParts
  readonly #worker: Worker
  readonly #store: PostgresCheckpointStore
  readonly #stopIngest = new AbortController()
  #progress: IngestProgress | null = null

  constructor(parts: RealtimeParts) {
    const { plan, source, archive, address, checkpointMs } = parts
    this.#parts = parts
    this.#store = new PostgresCheckpointStore(address, { schema: plan.dataSet })
    this.#worker = new Worker({
      pipeline: realtime(tradeCodec({ market: plan.market, timeUnit: plan.timeUnit })),
      source,
      store: this.#store,
      archive,
      clock: systemClock,
      limits: { ...defaultLimits, checkpointIntervalMs: checkpointMs },
    })
  }

  get progress(): IngestProgress | null {
    return this.#progress
  }

  tasks(): readonly TaskStatus[] {
    return this.#worker.status()
  }

  /** Ends the ingest; the worker then stores what it has read and ends too. What is only in the log is read at the next start. */
  stop(): void {
    this.#stopIngest.abort()
    this.#worker.stop('now')
  }

  /**
   * Runs until `stop`, or with `untilEnd` until all of the feed is committed. Rejects, with both sides stopped, with the first error
   * that a person must look at.
   */
  async run(options: { readonly untilEnd: boolean; readonly closeOpen: boolean }): Promise<RunEnd> {
    const working = this.#worker.run()
    const ingesting = this.#ingest()
    // Both are awaited below; until then the failure of one must not pass for unhandled while the other is waited for.
    working.catch(() => this.#stopIngest.abort())
    ingesting.catch(() => this.#worker.stop('now'))
    try {
      const ingest = await ingesting
      if (ingest.end === 'fenced') {
        this.#worker.stop('now')
        await working
        throw new RetryableError(
          `another process feeds ${this.#parts.plan.topic} as producer ${this.#parts.plan.producer} now; this one has stopped`,
        )
      }
      const isDraining = ingest.end === 'feed-ended' && options.untilEnd
      if (isDraining) this.#worker.stop(options.closeOpen ? 'drain-and-close' : 'drain')
      await working
      const tasks = this.tasks()
      const isCommitted = isDraining && tasks.every((task) => task.committedOffset >= task.logEndOffset)
      return { end: isCommitted ? 'committed' : 'stopped', ingest, tasks }
    } finally {
      this.#stopIngest.abort()
      await Promise.allSettled([working, ingesting])
      await this.#store.close()
    }
  }

  #ingest(): Promise<IngestReport> {
    const { feed, writer, plan, partitions } = this.#parts
    return runIngest({
      feed,
      writer,
      producer: plan.producer,
      partitions,
      timeUnit: plan.timeUnit,
      symbols: plan.symbols,
      signal: this.#stopIngest.signal,
      onProgress: (progress) => {
        this.#progress = progress
      },
    })
  }
}
