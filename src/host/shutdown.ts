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

/** What asks a run to stop; the last one comes when its terminal is closed. */
export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * What would end a process without a word (SIGQUIT is Ctrl-\\, SIGXCPU a limit of processor time), with the exit codes by which shells report it. Nothing is to be waited for at them, but what is to be done
 * at an exit has to be done.
 */
export const endSignals = { SIGQUIT: 131, SIGUSR2: 140, SIGALRM: 142, SIGXCPU: 152, SIGVTALRM: 154 } as const
const endSignalNames = Object.keys(endSignals) as (keyof typeof endSignals)[]

/**
 * Makes the first SIGINT, SIGTERM or SIGHUP (a closed terminal) the beginning of a clean stop; a second one ends the process at once, with exit
 * code 130, and so does each of `endSignals`, with its own.
 */
export class Shutdown implements StopRequest {
  #why: string | null = null
  #first: { readonly signal: NodeJS.Signals; readonly at: number } | null = null
  #onStop: ((why: string) => void) | null = null
  readonly #onAbort: () => void
  readonly #exit: (code: number) => void
  readonly #now: () => number
  readonly #end = (signal: NodeJS.Signals): void => {
    this.#onAbort()
    this.#exit(endSignals[signal as keyof typeof endSignals])
  }
  readonly #handle = (signal: NodeJS.Signals): void => {
    if (this.#first === null) {
      this.#first = { signal, at: this.#now() }
      this.begin(signal)
      return
    }
    // A shell and a terminal that close both send it.
    if (signal === 'SIGHUP') return
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
    for (const signal of stopSignals) process.on(signal, this.#handle)
    for (const signal of endSignalNames) process.on(signal, this.#end)
  }

  get isStopping(): boolean {
    return this.#why !== null
  }

  /** Begins the clean stop, unless it has begun. */
  begin(why: string): void {
    if (this.#why !== null) return
    this.#why = why
    this.#onStop?.(why)
  }

  whenStopping(callback: (why: string) => void): void {
    this.#onStop = callback
    if (this.#why !== null) callback(this.#why)
  }

  dispose(): void {
    for (const signal of stopSignals) process.off(signal, this.#handle)
    for (const signal of endSignalNames) process.off(signal, this.#end)
  }
}
