import { type Clock, sleptEnough } from '../clock.ts'
import { RetryableError } from '../errors.ts'
import type { TaskId } from '../store/checkpoint.ts'
import type { TaskStatus } from '../task/taskStatus.ts'

/** After a stop that is meant to come at once, asynchronous calls have so long to end. */
const asyncGraceMs = 5_000

/** Waits for asynchronous work of a pipeline, and says so in the status; after a stop that is meant to come at once not for ever. */
export class QuietWait {
  readonly #id: TaskId
  readonly #clock: Clock
  readonly #status: TaskStatus
  readonly #signal: AbortSignal

  constructor(id: TaskId, clock: Clock, status: TaskStatus, signal: AbortSignal) {
    this.#id = id
    this.#clock = clock
    this.#status = status
    this.#signal = signal
  }

  async until<T>(work: Promise<T>): Promise<T> {
    const status = this.#status
    const before = status.waitingFor
    status.waitingFor = 'asynchronous calls of the pipeline'
    const over = new AbortController()
    try {
      const result = await Promise.race([work, this.#tooLong(over.signal)])
      status.waitingFor = before
      return result
    } finally {
      over.abort(sleptEnough)
      work.catch(() => undefined)
    }
  }

  /** Rejects when the stop is so long ago, unless it is over before. */
  async #tooLong(over: AbortSignal): Promise<never> {
    await fired(this.#signal, over)
    await this.#clock.sleep(asyncGraceMs, over)
    if (over.aborted) return new Promise<never>(() => undefined)
    throw new RetryableError(
      `asynchronous calls of the pipeline have not ended ${asyncGraceMs} ms after the stop`,
      this.#id,
    )
  }
}

/** Resolves when either signal fires. */
function fired(first: AbortSignal, second: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (first.aborted || second.aborted) return resolve()
    const done = () => {
      first.removeEventListener('abort', done)
      second.removeEventListener('abort', done)
      resolve()
    }
    first.addEventListener('abort', done)
    second.addEventListener('abort', done)
  })
}
