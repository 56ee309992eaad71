import { exitInterrupted } from '../exit.ts'

/** Makes the first SIGINT or SIGTERM the beginning of a clean stop; a second one ends the process at once, with exit code 130. */
export class Shutdown {
  #signal: NodeJS.Signals | null = null
  #onStop: ((signal: NodeJS.Signals) => void) | null = null
  readonly #onAbort: () => void
  readonly #handle = (signal: NodeJS.Signals): void => {
    if (this.#signal === null) {
      this.#signal = signal
      this.#onStop?.(signal)
      return
    }
    this.#onAbort()
    process.exit(exitInterrupted)
  }

  /** Listens from now on. */
  constructor(onAbort: () => void) {
    this.#onAbort = onAbort
    process.on('SIGINT', this.#handle)
    process.on('SIGTERM', this.#handle)
  }

  get isStopping(): boolean {
    return this.#signal !== null
  }

  /** Calls back at the first signal, or at once when it has come already. */
  whenStopping(callback: (signal: NodeJS.Signals) => void): void {
    this.#onStop = callback
    if (this.#signal !== null) callback(this.#signal)
  }

  dispose(): void {
    process.off('SIGINT', this.#handle)
    process.off('SIGTERM', this.#handle)
  }
}
