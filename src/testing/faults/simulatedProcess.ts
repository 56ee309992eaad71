import type { Clock } from '../../runtime/clock.ts'

/**
 * One start of a worker that can be made to disappear: after `crash`, nothing that goes through its guarded ports comes
 * back any more, neither a result nor an error, so no code of the worker runs on. That is what `kill -9` looks like from
 * outside; what was already under way in a store may still arrive there.
 */
export class SimulatedProcess {
  readonly #clock: Clock
  #reason: string | null = null
  readonly #crashed: Promise<string>
  #announce: (reason: string) => void = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
    this.#crashed = new Promise((resolve) => {
      this.#announce = resolve
    })
  }

  /** True until the crash. */
  get isAlive(): boolean {
    return this.#reason === null
  }

  /** Resolves with the reason once the process has crashed. */
  get crashed(): Promise<string> {
    return this.#crashed
  }

  /** The clock for everything inside the process: who sleeps on it in a crash never wakes. */
  readonly clock: Clock = {
    now: () => this.#clock.now(),
    sleep: (ms, signal) => {
      return this.isAlive ? this.guard(this.#clock.sleep(ms, signal)) : never()
    },
  }

  /** From here on the process does not exist. */
  crash(reason: string): void {
    if (!this.isAlive) return
    this.#reason = reason
    this.#announce(reason)
  }

  /** Crashes from within: for a call that must not come back, whose caller is gone. */
  die(reason: string): Promise<never> {
    this.crash(reason)
    return never()
  }

  /** What the work gives, unless the process crashes meanwhile: then nothing, ever. */
  guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => {
          if (this.isAlive) resolve(value)
        },
        (error: unknown) => {
          if (this.isAlive) reject(error)
        },
      )
    })
  }
}

/** A promise that never settles: what is left of a call whose caller is gone. */
export function never(): Promise<never> {
  return new Promise(() => {})
}
