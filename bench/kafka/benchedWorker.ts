import { type WorkerPlace, WorkerProcess } from '../../scripts/chaos/workers.ts'
import { within } from './runBench.ts'

const stopMs = 60_000

/** A worker of the real command that is to live until the benchmark ends it: one that ends by itself is told, with the last that it said. */
export class BenchedWorker {
  readonly #worker: WorkerProcess
  #isEnding = false

  constructor(place: WorkerPlace, id: string, onGone: (error: Error) => void) {
    const worker = new WorkerProcess(place, id)
    this.#worker = worker
    worker.ended.then((code) => {
      if (!this.#isEnding) onGone(new Error(`worker ${id} ended by itself with exit code ${code}:\n${worker.output}`))
    }, onGone)
  }

  get pid(): number {
    return this.#worker.pid
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** Lets it commit what it has. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#isEnding = true
    this.#worker.signal(signal)
    await within(stopMs, this.#worker.ended, `the end of worker ${this.#worker.id} after ${signal}`)
  }
}
