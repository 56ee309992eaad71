import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../../runtime/errors.ts'
import type { Feed } from '../../runtime/feed.ts'
import type { LogWriter } from '../../runtime/log.ts'
import type { TaskStatus } from '../../runtime/taskStatus.ts'
import { type IngestProgress, type IngestReport, runIngest } from '../../sources/ingest/runIngest.ts'
import type { RealtimeWorker } from './realtimeWorker.ts'
import type { RunPlan } from './runPlan.ts'

export interface IngestParts {
  readonly feed: Feed
  readonly writer: LogWriter
}

export interface RealtimeParts {
  readonly plan: RunPlan
  /** null where others bring the trades into the log. */
  readonly ingest: IngestParts | null
  readonly worker: RealtimeWorker
  readonly partitions: number
}

/** How a run came to its end. */
export interface RunEnd {
  /** `committed`: the feed, or what the topic held, ended and all of it is stored. */
  readonly end: 'committed' | 'stopped'
  /** null where nothing was taken in. */
  readonly ingest: IngestReport | null
  readonly tasks: readonly TaskStatus[]
}

const assignmentPollMs = 20

/**
 * Ingest and worker of one run. The worker reads what the ingest has made durable and nothing else, so either may fail without the other
 * losing anything.
 */
export class RealtimeRun {
  readonly #parts: RealtimeParts
  readonly #stopping = new AbortController()
  #progress: IngestProgress | null = null
  #isGathering = false

  constructor(parts: RealtimeParts) {
    this.#parts = parts
  }

  get progress(): IngestProgress | null {
    return this.#progress
  }

  /** What the run waits for before its tasks are there to say so, or null. */
  get waitingFor(): string | null {
    const { partitions, plan, worker } = this.#parts
    if (worker.waitingFor !== null) return worker.waitingFor
    const missing = partitions - this.tasks().length
    if (missing === partitions) return `partitions of ${plan.topic} to work on`
    return this.#isGathering && missing > 0 ? `${missing} partitions of ${plan.topic} that other workers have` : null
  }

  tasks(): readonly TaskStatus[] {
    return this.#parts.worker.status()
  }

  /** Ends the ingest; the worker then stores what it has read and ends too. What is only in the log is read at the next start. */
  stop(): void {
    this.#stopping.abort()
    this.#parts.worker.stop('now')
  }

  /**
   * Runs until `stop`, or with `untilEnd` until all of the feed is committed. Rejects, with both sides stopped, with the first error
   * that a person must look at.
   */
  async run(options: { readonly untilEnd: boolean; readonly closeOpen: boolean }): Promise<RunEnd> {
    const { worker } = this.#parts
    const working = worker.run()
    const ingesting = this.#ingest()
    // Both are awaited below; until then the failure of one must not pass for unhandled while the other is waited for.
    working.catch(() => this.#stopping.abort())
    ingesting.catch(() => worker.stop('now'))
    try {
      const ingest = await ingesting
      if (ingest?.end === 'fenced') {
        worker.stop('now')
        await working
        throw fencedError(this.#parts.plan)
      }
      const isDraining = (ingest === null || ingest.end === 'feed-ended') && options.untilEnd
      if (isDraining && (await this.#hasAllPartitions())) worker.stop(options.closeOpen ? 'drain-and-close' : 'drain')
      await working
      const tasks = this.tasks()
      const isCommitted =
        isDraining &&
        !this.#stopping.signal.aborted &&
        tasks.length >= this.#parts.partitions &&
        tasks.every((task) => task.committedOffset >= task.logEndOffset && task.phase !== 'fenced')
      if (isDraining && !isCommitted && !this.#stopping.signal.aborted) throw incomplete(this.#parts.plan, tasks)
      return { end: isCommitted ? 'committed' : 'stopped', ingest, tasks }
    } finally {
      this.#stopping.abort()
      await Promise.allSettled([working, ingesting])
      await worker.close()
    }
  }

  /** A group hands out partitions when it is ready to: what has not come yet would be left out of a drain. False after a stop. */
  async #hasAllPartitions(): Promise<boolean> {
    this.#isGathering = true
    while (this.tasks().length < this.#parts.partitions && !this.#stopping.signal.aborted) await sleep(assignmentPollMs)
    return !this.#stopping.signal.aborted
  }

  async #ingest(): Promise<IngestReport | null> {
    const { ingest, plan, partitions } = this.#parts
    if (ingest === null) return null
    return runIngest({
      ...ingest,
      producer: plan.producer,
      partitions,
      signal: this.#stopping.signal,
      onProgress: (progress) => {
        this.#progress = progress
      },
    })
  }
}

/** Others may have taken partitions over in mid-drain; whoever asked for all of it must not be told that it is there. */
function incomplete({ topic }: RunPlan, tasks: readonly TaskStatus[]): RetryableError {
  const behind = tasks.reduce((sum, task) => sum + Math.max(0, task.logEndOffset - task.committedOffset), 0)
  return new RetryableError(
    `not all of ${topic} was committed by this run: it ended with ${tasks.length} partitions, ${behind} records of them not committed. ` +
      'Another worker has taken partitions over',
  )
}

export function fencedError({ topic, producer }: Pick<RunPlan, 'topic' | 'producer'>): RetryableError {
  return new RetryableError(
    `another process feeds ${topic} as producer ${producer} now; this one has stopped. Where both are meant to run, give each a name of its own with \`millrace ingest --producer\``,
  )
}
