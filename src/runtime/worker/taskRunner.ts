import { Backoff } from '../backoff.ts'
import { BadRowError } from '../badRow.ts'
import { RetryableError, TaskFencedError } from '../errors.ts'
import { Elsewhere } from '../letters/elsewhere.ts'
import { LeftOutValues } from '../letters/leftOutValues.ts'
import { StepFailure } from '../letters/stepFailure.ts'
import type { TaskId } from '../store/checkpoint.ts'
import { ForeignRowsError } from '../store/foreignRows.ts'
import { newTaskStatus, type TaskStatus } from '../task/taskStatus.ts'
import type { TaskOptions } from './attempt.ts'
import { isPrompt, type StopMode } from './stopMode.ts'
import { TaskAttempt } from './taskAttempt.ts'

/** Runs one task: claim, restore, seek, go on; and the same again after whatever a `RetryableError` says about. */
export class TaskRunner {
  readonly status: TaskStatus
  readonly #options: TaskOptions
  readonly #id: TaskId
  readonly #stop = new AbortController()
  #stopMode: StopMode | null = null
  readonly #leftOut = new LeftOutValues()
  readonly #elsewhere = new Elsewhere()

  constructor(partition: number, options: TaskOptions) {
    this.#options = options
    const otherTopics = (options.others ?? []).map(({ topic }) => topic)
    const isElsewhere = options.inputs.some((input) => input.partition !== undefined)
    const otherPartitions = isElsewhere ? options.inputs.slice(1).map((input) => input.partition ?? partition) : []
    this.#id = {
      pipeline: options.pipeline.name,
      topic: options.source.topic,
      partition,
      ...(otherTopics.length === 0 ? {} : { otherTopics }),
      ...(otherPartitions.length === 0 ? {} : { otherPartitions }),
    }
    this.status = newTaskStatus(partition)
  }

  /** Asks the runner to end; `run` resolves when it has. Asking again can only make it more urgent. */
  stop(mode: StopMode): void {
    if (this.#stopMode !== 'now') this.#stopMode = mode
    if (isPrompt(mode)) this.#stop.abort()
  }

  /** Resolves after a stop, or when the task was fenced. Rejects with what a human must look at. */
  async run(): Promise<void> {
    const { clock, limits } = this.#options
    const backoff = new Backoff(limits.retryFirstMs, limits.retryMostMs)
    for (;;) {
      const attempt = new TaskAttempt({
        ...{ id: this.#id, options: this.#options, status: this.status, signal: this.#stop.signal },
        ...{ leftOut: this.#leftOut, elsewhere: this.#elsewhere, backoff },
      })
      try {
        await attempt.run(() => this.#stopMode)
        this.status.phase = 'stopped'
        this.status.waitingFor = null
        return
      } catch (error) {
        if (error instanceof TaskFencedError) {
          this.status.phase = 'fenced'
          this.status.waitingFor = error.message
          return
        }
        if (this.#learnFrom(error, attempt)) {
          this.status.restarts += 1
          continue
        }
        if (!(error instanceof RetryableError)) throw error
        this.status.restarts += 1
        if (this.#stop.signal.aborted) {
          // What was not committed is read again at the next start, so giving up here loses nothing.
          this.status.phase = 'stopped'
          this.status.waitingFor = `the last commit is unconfirmed (${error.message})`
          return
        }
        const waitMs = backoff.next()
        this.status.phase = 'waiting'
        this.status.waitingFor = `${error.message}; next try in ${waitMs} ms`
        await clock.sleep(waitMs, this.#stop.signal)
      } finally {
        await attempt.close()
      }
    }
  }

  /** True when the next attempt will not fail like this one, because it knows what to set aside. */
  #learnFrom(error: unknown, { order }: TaskAttempt): boolean {
    if (error instanceof StepFailure) return this.#leftOut.learn(error, order)
    // The attempt has told where it was, and whose the rows are.
    return (
      (error instanceof BadRowError || error instanceof ForeignRowsError) && this.#options.pipeline.onError !== 'stop'
    )
  }
}
