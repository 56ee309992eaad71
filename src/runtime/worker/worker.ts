import { Backoff } from '../backoff.ts'
import { RetryableError } from '../errors.ts'
import { checkSources } from '../inputs/openCursors.ts'
import type { AssignmentListener, LogMembership } from '../log/log.ts'
import { inputsOf } from '../pipeline/pipeline.ts'
import { isOneTask, type TaskSources, taskSources } from '../pipeline/wholeInputs.ts'
import type { TaskStatus } from '../task/taskStatus.ts'
import { type WorkerLimitOptions, type WorkerLimits, workerLimits } from '../task/workerLimits.ts'
import type { TaskOptions } from './attempt.ts'
import { isPrompt, type StopMode } from './stopMode.ts'
import { TaskRunner } from './taskRunner.ts'

/** What a worker runs, on which log, and where the results go. */
export interface WorkerOptions extends Omit<TaskOptions, 'onCommit' | 'limits' | 'inputs'> {
  /** What differs from `defaultLimits`. */
  readonly limits?: WorkerLimitOptions
  /**
   * For a log that a group shares: a partition that another process claimed is claimed back after this long, if the group still assigns it to this
   * worker by then. Left out, a fenced task is over.
   */
  readonly reclaimAfterMs?: number
}

/**
 * Runs a pipeline on the partitions that the log assigns to it, each as a task of its own.
 *
 * A partition that is taken away is cut, committed and let go first; where that does not come in time, the fence keeps the slow one from writing.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #limits: WorkerLimits
  readonly #runners = new Map<number, { readonly runner: TaskRunner; readonly ended: Promise<void> }>()
  /** The newest of each partition that was let go of. */
  readonly #released = new Map<number, TaskStatus>()
  /** What each task reads; known before the first one starts. */
  #sources: TaskSources | null = null
  #membership: LogMembership | null = null
  #stopMode: StopMode | null = null
  #final: TaskStatus[] | null = null
  readonly #stopping = new AbortController()
  /** Only for a stop that is meant to come at once. */
  readonly #stoppingNow = new AbortController()
  #waitingFor: string | null = null
  /** The group has given this worker up, so what it still has to drain may come back. */
  #isRejoining = false
  #ended = Promise.withResolvers<void>()

  constructor(options: WorkerOptions) {
    checkSources(options)
    this.#options = options
    const { pipeline, source, others = [] } = options
    const inputs = inputsOf(pipeline)
    if (!inputs.some(({ isWhole }) => isWhole)) this.#sources = { inputs, source, others }
    this.#limits = workerLimits(options.limits)
    // It may end while nobody waits for it yet.
    this.#ended.promise.catch(() => undefined)
  }

  /** Joins, as soon as the group can be reached, and resolves once every task has ended after `stop`. Rejects, with all tasks stopped, with the first error that a human must look at. */
  async run(): Promise<void> {
    this.#membership = await this.#join()
    // A stop that came while joining finds its tasks only now.
    if (this.#stopMode !== null) this.#checkEnded()
    try {
      await this.#ended.promise
    } finally {
      this.stop('now')
      await Promise.allSettled([...this.#runners.values()].map(({ ended }) => ended))
      // To leave is to have everything revoked, which must not make the worker look as if it had done nothing.
      this.#final = this.status()
      await this.#membership?.leave()
    }
  }

  /** What it waits for before it has tasks that could say so, or null. */
  get waitingFor(): string | null {
    return this.#waitingFor
  }

  /** Asks every task to end. A second, more urgent call overrules the first. */
  stop(mode: StopMode): void {
    this.#stopMode = mode
    this.#stopping.abort()
    if (isPrompt(mode)) this.#stoppingNow.abort()
    for (const { runner } of this.#runners.values()) runner.stop(mode)
    if (this.#membership !== null) this.#checkEnded()
  }

  /** Of the tasks at the moment; after the end, of those that ended with it. */
  status(): TaskStatus[] {
    if (this.#final !== null) return this.#final
    return [...this.#runners.values()].map(({ runner }) => runner.status).sort((a, b) => a.partition - b.partition)
  }

  /** Of the tasks that were let go of, the newest of each partition: what they have done counts, wherever the partition is now. */
  released(): TaskStatus[] {
    const ended = new Set(this.#final)
    return [...this.#released.values()].filter((status) => !ended.has(status))
  }

  /**
   * Again and again while the group cannot be reached. Null after a stop that is meant to come at once; a membership that comes later is left again. One
   * that means to drain goes on until there is something to drain.
   */
  async #join(): Promise<LogMembership | null> {
    const { source, clock } = this.#options
    const { retryFirstMs, retryMostMs } = this.#limits
    const backoff = new Backoff(retryFirstMs, retryMostMs)
    const { signal } = this.#stoppingNow
    while (!signal.aborted) {
      const listener: AssignmentListener = {
        onAssign: (partitions) => {
          if (this.#final !== null) return
          this.#isRejoining = false
          for (const partition of partitions) this.#start(partition)
          this.#checkEnded()
        },
        onRevoke: (partitions) => this.#letGo(partitions),
        onLost: (partitions) => {
          this.#isRejoining = true
          return this.#letGo(partitions)
        },
        onFailed: (error) => this.#ended.reject(error),
      }
      const joining = this.#sources === null ? this.#joinWhole(listener) : source.join(listener)
      try {
        const membership = await Promise.race([joining, aborted(signal)])
        if (membership === null) joining.then((late) => late.leave()).catch(() => undefined)
        this.#waitingFor = null
        return membership
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        const waitMs = backoff.next()
        this.#waitingFor = `${error.message}; next try in ${waitMs} ms`
        await clock.sleep(waitMs, signal)
      }
    }
    return null
  }

  /** Where one task reads everything, whoever has the first partition has all of them. */
  async #joinWhole(listener: AssignmentListener): Promise<LogMembership> {
    const { pipeline, source, others = [] } = this.#options
    this.#sources = await taskSources(pipeline, source, others)
    if (!isOneTask(inputsOf(pipeline))) return source.join(listener)
    const onAssign = (partitions: readonly number[]) => listener.onAssign(partitions.filter((one) => one === 0))
    return source.join({ ...listener, onAssign })
  }

  #start(partition: number): void {
    const runner = new TaskRunner(partition, {
      ...this.#options,
      ...(this.#sources as TaskSources),
      limits: this.#limits,
      onCommit: (of, nextOffset) => this.#membership?.reportProgress(of, nextOffset),
    })
    const ended = runner.run()
    this.#runners.set(partition, { runner, ended })
    if (this.#stopMode !== null) runner.stop(this.#stopMode)
    ended.then(
      () => {
        if (runner.status.phase === 'fenced') void this.#reclaim(partition, runner)
        this.#checkEnded()
      },
      (error: unknown) => this.#ended.reject(error),
    )
  }

  /**
   * A process that slept through its own replacement may claim once more before the group tells it that it is out. Nobody else would notice: the
   * owner by the group's word has to take the partition back. If the group meant the other one, it says so before the wait is over.
   */
  async #reclaim(partition: number, runner: TaskRunner): Promise<void> {
    const { reclaimAfterMs, clock } = this.#options
    if (reclaimAfterMs === undefined) return
    await clock.sleep(reclaimAfterMs, this.#stopping.signal)
    if (this.#stopMode === null && this.#runners.get(partition)?.runner === runner) this.#start(partition)
  }

  async #letGo(partitions: readonly number[]): Promise<void> {
    const gone = partitions.map((partition) => this.#runners.get(partition)).filter((found) => found !== undefined)
    // Forgotten first: the partition may come back while its old task still ends, and gets a new one.
    for (const partition of partitions) this.#runners.delete(partition)
    for (const { runner } of gone) {
      this.#released.set(runner.status.partition, runner.status)
      runner.stop('now')
    }
    await Promise.allSettled(gone.map(({ ended }) => ended))
  }

  /**
   * After a stop, the end is when every task has ended. Without one, a worker whose every task was fenced has nothing left to do, which counts as
   * an end too; one that has no partition, or may claim its own back, waits.
   */
  #checkEnded(): void {
    if (this.#isRejoining && !isPrompt(this.#stopMode)) return
    const all = [...this.#runners.values()]
    const isOver = ({ status }: TaskRunner) => status.phase === 'fenced' || status.phase === 'stopped'
    if (!all.every(({ runner }) => isOver(runner))) return
    const mayComeBack = all.length === 0 || this.#options.reclaimAfterMs !== undefined
    if (this.#stopMode !== null || !mayComeBack) this.#ended.resolve()
  }
}

/** Resolves when the signal fires. */
function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }))
}
