import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../runtime/errors.ts'
import type { Feed } from '../runtime/log/feed.ts'
import type { LogWriter } from '../runtime/log/log.ts'
import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import { type IngestProgress, type IngestReport, runIngest } from '../sources/ingest/runIngest.ts'
import { type OutletCount, outletCounts } from './outletCounts.ts'
import type { OutletEnd } from './outletPlan.ts'
import type { PipelineWorker } from './pipelineWorker.ts'
import { type RunTotals, TaskTotals } from './taskTotals.ts'

/** A feed that fills a topic while a run is under way. */
export interface RunFeed {
  readonly feed: Feed
  readonly topic: string
  /** In whose name the position is kept. */
  readonly producer: string
  /** True for records of the past: their newest time is the present of the run, and not the clock. */
  readonly isOfThePast: boolean
}

/** A feed with the log that it goes into. */
export interface OpenedFeed extends RunFeed {
  readonly writer: LogWriter
  /** Of the topic. */
  readonly partitions: number
}

/** What a run consists of. */
export interface RunParts {
  /** None where others bring the records into the log. */
  readonly feeds: readonly OpenedFeed[]
  readonly worker: PipelineWorker
  readonly ends: readonly OutletEnd[]
  /** The topic that leads. */
  readonly topic: string
  /** How many the pipeline has: the partitions of the topic that leads, or one that reads all. */
  readonly tasks: number
}

/** How a run came to its end. */
export interface RunEnd {
  /** `committed`: the feeds, or what the topics held, ended and all of it is stored. */
  readonly end: 'committed' | 'stopped'
  /** One a feed. */
  readonly ingests: readonly IngestReport[]
  readonly tasks: readonly TaskStatus[]
  readonly totals: RunTotals
  readonly outlets: readonly OutletCount[]
}

const assignmentPollMs = 20

/**
 * The feeds and the worker of one run. The worker reads what the feeds have made durable and nothing else, so either may fail without the other
 * losing anything.
 */
export class PipelineRun {
  readonly #parts: RunParts
  readonly #stopping = new AbortController()
  readonly #progress = new Map<RunFeed, IngestProgress>()
  readonly #totals = new TaskTotals()
  #isGathering = false

  constructor(parts: RunParts) {
    this.#parts = parts
  }

  /** How far each feed is; those that have not told yet are left out. */
  get progress(): ReadonlyMap<RunFeed, IngestProgress> {
    return this.#progress
  }

  /** What was done since the start, also by workers that are no more. To be asked now and then: it adds up what is reported. */
  totals(): RunTotals {
    const { worker } = this.#parts
    return this.#totals.over([...worker.status(), ...worker.released()])
  }

  /** What each outlet has had committed since the start, and has to send. */
  outlets(): readonly OutletCount[] {
    return outletCounts(this.#parts.ends, this.totals(), this.tasks())
  }

  /** What the run waits for before its tasks are there to say so, or null. */
  get waitingFor(): string | null {
    const { tasks, topic, worker } = this.#parts
    if (worker.waitingFor !== null) return worker.waitingFor
    const missing = tasks - this.tasks().length
    if (missing === tasks) return `partitions of ${topic} to work on`
    return this.#isGathering && missing > 0 ? `${missing} partitions of ${topic} that other workers have` : null
  }

  tasks(): readonly TaskStatus[] {
    return this.#parts.worker.status()
  }

  /** Ends the feeds; the worker then stores what it has read and ends too. What is only in the log is read at the next start. */
  stop(): void {
    this.#stopping.abort()
    this.#parts.worker.stop('settle')
  }

  /**
   * Runs until `stop`, or with `untilEnd` until all of the feeds, or of what the topics hold, is committed. Rejects, with both sides stopped, with the first
   * error that a person must look at.
   */
  async run(options: { readonly untilEnd: boolean; readonly closeOpen: boolean }): Promise<RunEnd> {
    const { worker, topic, tasks: wanted } = this.#parts
    const working = worker.run()
    const ingesting = Promise.all(this.#parts.feeds.map((feed) => this.#ingest(feed)))
    // Both are awaited below; until then the failure of one must not pass for unhandled while the other is waited for.
    working.catch(() => this.#stopping.abort())
    ingesting.catch(() => this.stop())
    try {
      const ingests = await ingesting
      const isDraining = ingests.every(({ end }) => end === 'feed-ended') && options.untilEnd
      if (isDraining && (await this.#hasAllPartitions())) worker.stop(options.closeOpen ? 'drain-and-close' : 'drain')
      await working
      const tasks = this.tasks()
      const isCommitted =
        isDraining &&
        !this.#stopping.signal.aborted &&
        tasks.length >= wanted &&
        tasks.every((task) => lagOf(task) === 0 && task.phase !== 'fenced')
      if (isDraining && !isCommitted && !this.#stopping.signal.aborted) throw incomplete(topic, tasks)
      return {
        end: isCommitted ? 'committed' : 'stopped',
        ingests,
        tasks,
        totals: this.totals(),
        outlets: this.outlets(),
      }
    } finally {
      this.#stopping.abort()
      await Promise.allSettled([working, ingesting])
      await worker.close()
    }
  }

  /** A group hands out partitions when it is ready to: what has not come yet would be left out of a drain. False after a stop. */
  async #hasAllPartitions(): Promise<boolean> {
    this.#isGathering = true
    while (this.tasks().length < this.#parts.tasks && !this.#stopping.signal.aborted) await sleep(assignmentPollMs)
    return !this.#stopping.signal.aborted
  }

  async #ingest(opened: OpenedFeed): Promise<IngestReport> {
    const { feed, writer, producer, partitions } = opened
    const report = await runIngest({
      feed,
      writer,
      producer,
      partitions,
      signal: this.#stopping.signal,
      onProgress: (progress) => this.#progress.set(opened, progress),
    })
    if (report.end === 'fenced') throw fencedError(opened)
    return report
  }
}

/** How many records of its inputs a task has not committed: of the leading one, and those of the others that its graph has not read. */
export function lagOf({ logEndOffset, committedOffset, inputs }: TaskStatus): number {
  const others = inputs.slice(1).reduce((sum, input) => sum + Math.max(0, input.logEndOffset - input.nextOffset), 0)
  return Math.max(0, logEndOffset - committedOffset) + others
}

/** Others may have taken partitions over in mid-drain; whoever asked for all of it must not be told that it is there. */
function incomplete(topic: string, tasks: readonly TaskStatus[]): RetryableError {
  const behind = tasks.reduce((sum, task) => sum + lagOf(task), 0)
  return new RetryableError(
    `not all of ${topic} was committed by this run: it ended with ${tasks.length} partitions, ${behind} records of them not committed. ` +
      'Another worker has taken partitions over',
  )
}

/** Somebody else has claimed the producer. */
export function fencedError({ topic, producer }: Pick<RunFeed, 'topic' | 'producer'>): RetryableError {
  return new RetryableError(
    `another process feeds ${topic} as producer ${producer} now; this one has stopped. Where both are meant to run, give each a name of its own (\`millrace ingest --producer\`, or producer beside the feed)`,
  )
}
