import { durationText } from '../console/text.ts'
import { Backoff } from '../runtime/backoff.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import { Silence } from '../runtime/firstWords.ts'
import type { RunReporter } from './runReport.ts'
import type { StopRequest } from './shutdown.ts'

export interface StartWaitOptions {
  readonly clock: Clock
  /** One line for people. */
  readonly say: (line: string) => void
  /** Told about once a second while there is something to wait for, in words for a status line. */
  readonly onWaiting?: (waitingFor: string) => void
}

/** The wait was over because somebody stopped the command, which is no failure. */
export class StoppedWaiting extends Error {
  constructor(what: string) {
    super(`Stopped while waiting for ${what}.`)
    this.name = 'StoppedWaiting'
  }
}

export interface RunWaitOptions {
  readonly say: (line: string) => void
  /** Tells `status` and `health` what is waited for. */
  readonly reporter: RunReporter
  readonly stopRequest: StopRequest
}

/** The wait of a run, which a request to stop ends. */
export function startWait({ say, reporter, stopRequest }: RunWaitOptions): StartWait {
  const wait = new StartWait({
    clock: systemClock,
    say,
    onWaiting: (waitingFor) => reporter.write({ records: 0, recordsPerS: 0, waitingFor }, systemClock.now()),
  })
  stopRequest.whenStopping(() => wait.stop())
  return wait
}

const firstMs = 100
const mostMs = 5_000
const lookEveryMs = 1_000
/** A container that is about to come has no name yet; one that nobody has known for longer is misspelled. */
const unknownHostPatienceMs = 30_000
/** A server that hangs comes back or is ended within that; whoever takes connections for longer and says nothing is something else, or needs a person. */
const silencePatienceMs = 60_000
/** An attempt that says nothing for this long is told of, too: a host that swallows packets fails late. */
const silenceMs = 5_000
const remindFirstMs = 10_000
const remindMostMs = 60_000

/**
 * Waits at a start for what a run needs and cannot reach yet, as its tasks do later on: a worker that is started before its database or its
 * broker is there goes on once they are, after whatever time that takes.
 *
 * Says what it waits for at once, again after 10 s, and then less and less often up to once a minute.
 */
export class StartWait {
  readonly #options: StartWaitOptions
  readonly #stopping = new AbortController()

  constructor(options: StartWaitOptions) {
    this.#options = options
  }

  /** Ends every wait, also one for an attempt that is under way. */
  stop(): void {
    this.#stopping.abort()
  }

  /**
   * Gives what the attempt gives, which is made again as long as it throws `RetryableError`, with waits that double up to 5 s. Throws whatever else it
   * throws, and `StoppedWaiting` after `stop`. A host name that nobody knows is waited for half a minute, and a server that takes connections and says nothing for a minute; both are a
   * `ConfigurationError` then.
   *
   * @param what is waited for, as in "PostgreSQL at postgres://host/database"
   * @param letGo closes what an attempt gives after the wait was stopped
   */
  async until<T>(what: string, attempt: () => Promise<T>, letGo?: (late: T) => Promise<void>): Promise<T> {
    const { clock } = this.#options
    const startedAt = clock.now()
    /** When the first of the attempts was made to which nothing has been said since; null where the last one heard something else. */
    let silentSince: number | null = null
    const backoff = new Backoff(firstMs, mostMs)
    const teller = new Teller(what, this.#options)
    const answered = new AbortController()
    const telling = teller.tell(answered.signal)
    try {
      for (;;) {
        if (this.#stopping.signal.aborted) throw new StoppedWaiting(what)
        const askedAt = clock.now()
        try {
          const result = await this.#unlessStopped(what, attempt(), letGo)
          teller.answered()
          return result
        } catch (error) {
          if (!(error instanceof RetryableError)) throw error
          const now = clock.now()
          if (isUnknownHost(error) && now - startedAt > unknownHostPatienceMs) throw unknownHost(what, error)
          silentSince = error.cause instanceof Silence ? (silentSince ?? askedAt) : null
          if (silentSince !== null && now - silentSince >= silencePatienceMs) throw nothingSaid(what, error)
          teller.failed(error.message)
        }
        await clock.sleep(backoff.next(), this.#stopping.signal)
      }
    } finally {
      answered.abort()
      await telling
    }
  }

  async #unlessStopped<T>(what: string, trying: Promise<T>, letGo?: (late: T) => Promise<void>): Promise<T> {
    const { signal } = this.#stopping
    const stopped = Promise.withResolvers<never>()
    const onStop = () => {
      // Nobody is left to hear of an attempt that fails after this.
      trying.then(letGo).catch(() => undefined)
      stopped.reject(new StoppedWaiting(what))
    }
    if (signal.aborted) onStop()
    signal.addEventListener('abort', onStop, { once: true })
    try {
      return await Promise.race([trying, stopped.promise])
    } finally {
      signal.removeEventListener('abort', onStop)
    }
  }
}

/** Whether the name service has said that there is no such host, which is not that it could not be asked. */
function isUnknownHost({ cause }: Error): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOTFOUND'
}

function unknownHost(what: string, error: Error): ConfigurationError {
  return new ConfigurationError(
    `${what}: ${error.message}; nobody has known this host name for ${durationText(unknownHostPatienceMs)}: correct it, or start what has it`,
    { cause: error },
  )
}

function nothingSaid(what: string, error: Error): ConfigurationError {
  return new ConfigurationError(
    `${what}: ${error.message.replace(/\.$/, '')}; it was waited for for ${durationText(silencePatienceMs)}`,
    { cause: error },
  )
}

/** What is said of one wait, and when. */
class Teller {
  readonly #what: string
  readonly #options: StartWaitOptions
  readonly #since: number
  readonly #reminder = new Backoff(remindFirstMs, remindMostMs)
  #dueAt: number
  #trouble: string | null = null
  #hasSpoken = false

  constructor(what: string, options: StartWaitOptions) {
    this.#what = what
    this.#options = options
    this.#since = options.clock.now()
    this.#dueAt = this.#since + silenceMs
  }

  async tell(answered: AbortSignal): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      await clock.sleep(lookEveryMs, answered)
      if (answered.aborted) return
      if (clock.now() >= this.#dueAt) this.#say()
      if (this.#hasSpoken) this.#report()
    }
  }

  failed(trouble: string): void {
    const isFirst = this.#trouble === null
    this.#trouble = trouble
    if (!isFirst) return
    this.#say()
    this.#report()
  }

  answered(): void {
    if (!this.#hasSpoken) return
    this.#options.say(`${this.#what} is there after ${durationText(this.#waitedMs())}.`)
  }

  #say(): void {
    const opening = this.#hasSpoken ? `Still waiting (${durationText(this.#waitedMs())})` : 'Waiting'
    this.#options.say(`${opening} for ${this.#reason()}`)
    this.#hasSpoken = true
    this.#dueAt = this.#options.clock.now() + this.#reminder.next()
  }

  #report(): void {
    this.#options.onWaiting?.(this.#reason())
  }

  #reason(): string {
    return `${this.#what}: ${this.#trouble ?? `no answer for ${durationText(this.#waitedMs())}`}`
  }

  #waitedMs(): number {
    return this.#options.clock.now() - this.#since
  }
}
