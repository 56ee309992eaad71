import { systemClock } from '../../runtime/clock.ts'
import { ConfigurationError, RetryableError } from '../../runtime/errors.ts'
import type { FeedBatch, FeedProgress, FeedReader, FeedReadOptions } from '../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import type { FeedPart } from './defineFeed.ts'

export interface GeneratorReaderOptions {
  /** Of the feed. */
  readonly name: string
  readonly position: string | null
  /** @param before the position that the part lies behind */
  readonly recordsOf: (part: FeedPart<unknown>, before: string | null) => OutgoingRecord[]
  readonly read: (position: string | null, signal: AbortSignal) => AsyncIterable<FeedPart<unknown>>
  /** What is known of the source beside the records. */
  readonly progress?: () => Partial<FeedProgress>
}

type Pull = Promise<IteratorResult<FeedPart<unknown>, unknown>>

/** A position lies in a record of its own, beside every append. */
const maxPositionLength = 64 * 1024
const finishMs = 10_000

/**
 * Reads an async generator, one pull at a time and none ahead of what is asked for. What a pull gives is encoded at once; a failure is told once
 * everything before it was handed over.
 */
export class GeneratorReader implements FeedReader {
  readonly #options: GeneratorReaderOptions
  readonly #stopping = new AbortController()
  readonly #parts: AsyncIterator<FeedPart<unknown>, unknown>
  #position: string | null
  /** Under way, also between two reads. */
  #pull: Pull | null = null
  #hasEnded = false
  #failure: { readonly error: unknown } | null = null
  #records = 0
  #newestTime: number | null = null

  constructor(options: GeneratorReaderOptions) {
    const { name, position, read } = options
    this.#options = options
    this.#position = position
    this.#parts = iteratorOf(name, read(position, this.#stopping.signal))
  }

  async read({ maxRecords, maxBytes, lingerMs, signal }: FeedReadOptions): Promise<FeedBatch | null> {
    const records: OutgoingRecord[] = []
    const wait = new Wait(signal)
    try {
      for (let bytes = 0; records.length < maxRecords && bytes < maxBytes; ) {
        if (this.#hasEnded || this.#failure !== null) break
        this.#pull ??= this.#parts.next()
        if (!(await wait.for(this.#pull))) break
        bytes += await this.#take(this.#pull, records)
        if (records.length > 0) wait.atMost(lingerMs)
      }
    } finally {
      wait.end()
    }
    if (records.length === 0 && !signal.aborted) {
      if (this.#failure !== null) throw this.#failure.error
      if (this.#hasEnded) return null
    }
    this.#records += records.length
    return { records, position: this.#position ?? '' }
  }

  progress(): FeedProgress {
    const told = this.#options.progress?.() ?? {}
    return {
      bytesDone: null,
      bytesTotal: null,
      waitingFor: null,
      newestTime: this.#newestTime,
      ...told,
      counts: { records: this.#records, ...told.counts },
    }
  }

  /** Throws `RetryableError` where the generator does not end within 10 s of its signal. */
  async close(): Promise<void> {
    this.#stopping.abort()
    // Whatever a pull still says was asked for by nobody: that it is cut short is what the signal is for.
    this.#pull?.catch(() => undefined)
    const finishing = this.#finish()
    const timer = new AbortController()
    const isLate = Symbol('late')
    const late = systemClock.sleep(finishMs, timer.signal).then(() => isLate)
    const outcome = await Promise.race([finishing, late]).finally(() => timer.abort())
    if (outcome !== isLate) return
    finishing.catch(() => undefined)
    throw new RetryableError(
      `feed ${this.#options.name} did not end within ${finishMs / 1_000} s of its signal: hand the signal of read to whatever it waits for`,
    )
  }

  async #finish(): Promise<void> {
    await this.#parts.return?.()
  }

  /** Appends what the pull gives to `into`; gives its bytes. */
  async #take(pull: Pull, into: OutgoingRecord[]): Promise<number> {
    try {
      const result = await pull
      this.#pull = null
      if (result.done === true) {
        this.#hasEnded = true
        return 0
      }
      const part = checkedPart(this.#options.name, result.value)
      const made = this.#options.recordsOf(part, this.#position)
      let bytes = 0
      for (const record of made) {
        into.push(record)
        bytes += (record.value?.length ?? 0) + (record.key?.length ?? 0)
        if (record.timestamp >= 0) this.#newestTime = Math.max(this.#newestTime ?? 0, record.timestamp)
      }
      this.#position = part.position
      return bytes
    } catch (error) {
      this.#pull = null
      this.#failure = { error }
      return 0
    }
  }
}

/** How long one read waits: until the signal fires, and once there is something at most so many ms more. */
class Wait {
  readonly #signal: AbortSignal
  readonly #over = Promise.withResolvers<false>()
  readonly #onAbort = () => this.#over.resolve(false)
  #timer: NodeJS.Timeout | null = null

  constructor(signal: AbortSignal) {
    this.#signal = signal
    if (signal.aborted) this.#onAbort()
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** False when the wait was over first; whether the pull fails is for the one who takes it. */
  for(pull: Pull): Promise<boolean> {
    const settled = pull.then(
      () => true,
      () => true,
    )
    return Promise.race([settled, this.#over.promise])
  }

  /** The first call counts. */
  atMost(ms: number): void {
    this.#timer ??= setTimeout(this.#onAbort, ms)
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
  }
}

function iteratorOf(name: string, parts: AsyncIterable<FeedPart<unknown>>): AsyncIterator<FeedPart<unknown>, unknown> {
  if (typeof parts?.[Symbol.asyncIterator] === 'function') return parts[Symbol.asyncIterator]()
  throw new ConfigurationError(
    `feed ${name}: read gives nothing that can be read in turn: write it as \`async function*\``,
  )
}

/** Feeds are written in JavaScript, too. */
function checkedPart(name: string, part: FeedPart<unknown>): FeedPart<unknown> {
  const things: unknown =
    typeof part === 'object' && part !== null ? ('records' in part ? part.records : part.values) : null
  if (!Array.isArray(things)) {
    throw new ConfigurationError(`feed ${name}: read yields { values: […], position } or { records: […], position }`)
  }
  if (typeof part.position !== 'string' || part.position.length > maxPositionLength) {
    throw new ConfigurationError(
      `feed ${name}: a position is text of at most ${maxPositionLength} characters; make one with JSON.stringify where it has parts`,
    )
  }
  return part
}
