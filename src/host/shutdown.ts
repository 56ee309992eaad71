/** As shells report a process that Ctrl-C ended. */
export const exitInterrupted = 130

/** npm and npx pass on the Ctrl-C that the terminal has sent to everybody already: one key press, two signals. */
const relayMs = 300

/** What may ask a run to stop. */
export interface StopRequest {
  readonly isStopping: boolean
  /** Calls back, with a word on who asks, as soon as it does, or at once when it has already. Whoever was to be told before no longer is. */
  whenStopping(callback: (why: string) => void): void
}

/** The request of an abort signal. */
export function stopOn(signal: AbortSignal): StopRequest {
  let told: ((why: string) => void) | null = null
  signal.addEventListener('abort', () => told?.('abort'), { once: true })
  return {
    get isStopping() {
      return signal.aborted
    },
    whenStopping: (callback) => {
      told = callback
      if (signal.aborted) callback('abort')
    },
  }
}

/** A closed terminal counts as a stop that was asked for. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Makes the first SIGINT, SIGTERM or SIGHUP the beginning of a clean stop; a second one ends the process at once, with exit code 130. */
export class Shutdown implements StopRequest {
  #first: { readonly signal: NodeJS.Signals; readonly at: number } | null = null
  #onStop: ((signal: NodeJS.Signals) => void) | null = null
  readonly #onAbort: () => void
  readonly #exit: (code: number) => void
  readonly #now: () => number
  readonly #handle = (signal: NodeJS.Signals): void => {
    if (this.#first === null) {
      this.#first = { signal, at: this.#now() }
      this.#onStop?.(signal)
      return
    }
    if (signal === this.#first.signal && this.#now() - this.#first.at < relayMs) return
    this.#onAbort()
    this.#exit(exitInterrupted)
  }

  /** Listens from now on. */
  constructor(
    onAbort: () => void,
    exit: (code: number) => void = (code) => process.exit(code),
    now: () => number = () => performance.now(),
  ) {
    this.#onAbort = onAbort
    this.#exit = exit
    this.#now = now
    for (const signal of signals) process.on(signal, this.#handle)
  }

  get isStopping(): boolean {
    return this.#first !== null
  }

  whenStopping(callback: (signal: NodeJS.Signals) => void): void {
    this.#onStop = callback
    if (this.#first !== null) callback(this.#first.signal)
  }

  dispose(): void {
    for (const signal of signals) process.off(signal, this.#handle)
  }
}
