import { type ChildProcess, fork } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Backoff } from '../runtime/backoff.ts'
import { RetryableError } from '../runtime/errors.ts'
import { ownModule } from '../runtime/ownPackage.ts'
import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import type { StopMode } from '../runtime/worker/stopMode.ts'
import { errorOf } from './failedWorker.ts'
import type { PipelineWorker } from './pipelineWorker.ts'
import { ownersOf } from './taskTotals.ts'
import { workerFlags } from './workerFlags.ts'
import type { MessageFromWorker, MessageToWorker, WorkerJob } from './workerMessages.ts'

export interface WorkerPoolOptions {
  /** One job a worker; the id is the same in each of its lives. */
  readonly jobs: readonly { readonly id: string; readonly job: WorkerJob }[]
  /** One line for people on a worker that was started, died or warned. */
  readonly onNotice: (line: string) => void
  /** Instead of the worker's own, for tests. */
  readonly program?: string
}

interface Slot {
  readonly id: string
  readonly job: WorkerJob
  readonly backoff: Backoff
  child: ChildProcess | null
  tasks: readonly TaskStatus[]
  released: readonly TaskStatus[]
}

const ownProgram = fileURLToPath(ownModule('host/workerMain'))
const restartFirstMs = 100
const restartMostMs = 5_000
/** A worker that lived this long starts anew as if it had never died. */
const settledAfterMs = 30_000
const killAfterMs = 30_000

/**
 * Workers in processes of their own, each started again when it dies, at once at first and then after waits that double up to 5 s.
 *
 * Each keeps its id over its lives, so that the group gives it its partitions back. A process that was killed loses nothing: what it had not
 * committed is read again. A worker that fails with what a person must look at stops all.
 */
export class WorkerPool implements PipelineWorker {
  readonly #slots: readonly Slot[]
  readonly #onNotice: (line: string) => void
  readonly #program: string
  readonly #stopping = new AbortController()
  #stopMode: StopMode | null = null
  #failure: Error | null = null

  constructor(options: WorkerPoolOptions) {
    this.#onNotice = options.onNotice
    this.#program = options.program ?? ownProgram
    this.#slots = options.jobs.map(({ id, job }) => ({
      id,
      job,
      backoff: new Backoff(restartFirstMs, restartMostMs),
      child: null,
      tasks: [],
      released: [],
    }))
  }

  /** Of the workers that live now; null while one waits to be started again. */
  pids(): readonly (number | null)[] {
    return this.#slots.map(({ child }) => child?.pid ?? null)
  }

  async run(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#keepAlive(slot)))
    if (this.#failure !== null) throw this.#failure
  }

  stop(mode: StopMode): void {
    this.#stopMode = mode
    this.#stopping.abort()
    for (const { child } of this.#slots) if (child !== null) send(child, { kind: 'stop', mode })
  }

  status(): readonly TaskStatus[] {
    return ownersOf(this.#slots.flatMap(({ tasks }) => tasks))
  }

  released(): readonly TaskStatus[] {
    const owners = new Set(this.status())
    return this.#slots.flatMap(({ tasks, released }) => [...tasks.filter((task) => !owners.has(task)), ...released])
  }

  /** Its workers say by notices what they wait for. */
  get waitingFor(): null {
    return null
  }

  async close(): Promise<void> {}

  async #keepAlive(slot: Slot): Promise<void> {
    while (this.#stopMode === null) {
      const startedAt = performance.now()
      const how = await this.#live(slot)
      if (this.#stopMode !== null) return
      if (performance.now() - startedAt > settledAfterMs) slot.backoff.reset()
      const waitMs = slot.backoff.next()
      this.#onNotice(`Worker ${slot.id} ${how}; it is started again in ${waitMs} ms. Nothing is lost.`)
      await sleep(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
    }
  }

  /** One life of a worker, from its start to its end, which is told in words. */
  #live(slot: Slot): Promise<string> {
    const compiled = getCompileCacheDir()
    const child = fork(this.#program, {
      // What the command has compiled already: a worker does not inherit it, and starts in half the time with it. Node names a folder for its own version there.
      env: compiled === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(compiled) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...process.execArgv, ...workerFlags],
    })
    slot.child = child
    child.on('message', (message: MessageFromWorker) => {
      // A report that comes after the end was told would bring tasks back that are no more.
      if (message.kind === 'status' && slot.child !== child && this.#stopMode === null) return
      this.#hear(slot, message)
    })
    send(child, { kind: 'start', job: slot.job })
    // What a worker that hangs has not committed by then is read again.
    const killing = () => setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref()
    this.#stopping.signal.addEventListener('abort', killing, { once: true })
    return new Promise((resolve) => {
      const ended = (how: string) => {
        this.#stopping.signal.removeEventListener('abort', killing)
        slot.child = null
        // After a stop the last report stands, for the summary.
        if (this.#stopMode === null) {
          slot.tasks = []
          slot.released = []
        }
        resolve(how)
      }
      child.once('error', (error) => ended(`(process ${child.pid ?? 'not started'}) failed: ${error.message}`))
      // Not at its exit: what it told last may still be on its way then.
      child.once('close', (code, signal) =>
        ended(`(process ${child.pid}) ${signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`}`),
      )
    })
  }

  #hear(slot: Slot, message: MessageFromWorker): void {
    if (message.kind === 'status') {
      slot.tasks = message.tasks
      slot.released = message.released
    } else if (message.kind === 'notice') this.#onNotice(`Worker ${slot.id}: ${message.text}`)
    else if (message.kind === 'warning') this.#onNotice(`warning: worker ${slot.id}: ${message.text}`)
    else {
      const error = errorOf(message.code, `worker ${slot.id}: ${message.message}`)
      if (error instanceof RetryableError) this.#onNotice(`Worker ${slot.id}: ${message.message}`)
      else this.#fail(error)
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.stop('now')
  }
}

function send(child: ChildProcess, message: MessageToWorker): void {
  // A child that has died meanwhile is told by `exit`.
  if (child.connected) child.send(message, () => undefined)
}
