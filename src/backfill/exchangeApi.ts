import type { Clock } from '../runtime/clock.ts'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import { historyWeightShare } from '../sources/live/addressLimits.ts'
import type { RestClient, Refused as RestRefused } from '../sources/live/restClient.ts'

/** What the exchange said of a request that it understood and refused, such as one of a symbol that it does not have. */
export interface Refused {
  readonly status: number
  /** The exchange's own number, such as -1121; null where it gave none. */
  readonly code: number | null
  readonly message: string
}

/** An answer: the JSON of its body, or why there is none. */
export type ApiAnswer = { readonly body: unknown } | { readonly refused: Refused }

export interface ExchangeApiOptions {
  /** Without a path. */
  readonly restUrl: string
  /** The setting that names it, for messages. */
  readonly urlSetting: string
  /** Least time between two requests, ms; 0 unless told. */
  readonly gapMs?: number
  /** True where the exchange writes decimals as numbers of JSON: each number is told as its text then. */
  readonly hasNumbers?: boolean
  readonly client: RestClient
  /** That of the client. */
  readonly clock: Clock
  /** Ends every wait and request. */
  readonly signal: AbortSignal
  /** Lines for people on each wait. */
  readonly onNotice: (line: string) => void
}

const minuteMs = 60_000
/** A ban that is longer is not waited for: somebody should look. */
const longestWaitMs = 600_000
const mostTries = 8
/** A host that has never answered is a wrong name or a missing network, and somebody sits before it. */
const mostFirstTries = 3
const firstRetryMs = 1_000
const longestRetryMs = 30_000
const mostFirewallTries = 3

/**
 * Requests for history to the REST interface of the exchange, one at a time and within its limits: it stays below half of the minute's weight by the exchange's own count and clock, waits for
 * as long as 429 and 418 say, asks a firewall (403) again only after minutes, and tries again what did not answer. Waits are measured by a clock that nobody sets.
 *
 * Throws `RetryableError` once it gives up and when the signal fires, `ConfigurationError` for a host that will never serve this.
 */
export class ExchangeApi {
  readonly #options: ExchangeApiOptions
  #hasAnswered = false
  #nextAt = 0

  constructor(options: ExchangeApiOptions) {
    this.#options = options
  }

  /** What the exchange last said was used of this minute. */
  get usedWeight(): number {
    return this.#options.client.limits.usedWeight
  }

  get weightPerMinute(): number {
    return this.#options.client.limits.weightPerMinute
  }

  /** By what the exchange says of its limits. */
  limitWeight(perMinute: number): void {
    this.#options.client.limits.limitWeight(perMinute)
  }

  async get(path: string, query: Readonly<Record<string, string>>): Promise<ApiAnswer> {
    const { restUrl, client, signal, urlSetting } = this.#options
    const url = `${restUrl}${path}?${new URLSearchParams(query)}`
    for (let tries = 1, refusals = 1; ; tries++) {
      await this.#pace()
      const answer = await client.ask(url, { share: historyWeightShare, signal })
      this.#requireWanted()
      if (!('refused' in answer)) {
        this.#hasAnswered = true
        return this.#replyOf(path, url, answer)
      }
      if (answer.status !== undefined) this.#hasAnswered = true
      // Nothing that time would mend.
      if (answer.retryAt === null) throw new ConfigurationError(sentence(answer.refused))
      if (answer.by === 'limit') {
        await this.#waitAsTold(path, answer, answer.retryAt)
        // Being told to wait is no failure: it may happen for as long as others use the limit up.
        tries = 0
        continue
      }
      if (answer.status === 403 && refusals++ >= mostFirewallTries) {
        throw new RetryableError(
          `${path} answers 403: the firewall of ${hostOf(url)} refuses this address. Ask again in an hour, from another address, or name another host (${urlSetting}).`,
          { retryAfterMs: 3_600_000 },
        )
      }
      if (answer.status === 451) {
        throw new ConfigurationError(
          `${hostOf(url)} answers 451: the exchange does not serve this location. Name a host that does with ${urlSetting}; for candles of Binance spot that is https://data-api.binance.vision.`,
        )
      }
      const why = answer.status === undefined ? answer.refused : `${path} answers ${answer.status}`
      if (tries >= (this.#hasAnswered ? mostTries : mostFirstTries)) {
        throw new RetryableError(`${why}, ${tries} times.`)
      }
      const backoffMs = Math.min(longestRetryMs, firstRetryMs * 2 ** (tries - 1))
      await this.#wait(Math.max(backoffMs, answer.retryAt - this.#options.clock.now()), why)
    }
  }

  async #pace(): Promise<void> {
    this.#requireWanted()
    const { clock, gapMs = 0, signal } = this.#options
    const now = clock.now()
    const at = Math.max(now, this.#nextAt)
    this.#nextAt = at + gapMs
    if (at === now) return
    await clock.sleep(at - now, signal)
    this.#requireWanted()
  }

  #replyOf(path: string, url: string, { status, text }: { readonly status: number; readonly text: string }): ApiAnswer {
    const { urlSetting, hasNumbers = false } = this.#options
    if (status >= 200 && status < 300) {
      try {
        return { body: JSON.parse(text, hasNumbers ? asText : undefined) }
      } catch (error) {
        throw new ConfigurationError(
          `${path}: the answer is no JSON but begins with ${JSON.stringify(text.slice(0, 60))}. Is ${urlSetting} a host of the exchange?`,
          { cause: error },
        )
      }
    }
    if (status === 404) {
      throw new ConfigurationError(
        `${hostOf(url)} has no ${path} (404). Name a host of the exchange that serves it with ${urlSetting}.`,
      )
    }
    return { refused: refusedOf(status, text) }
  }

  async #waitAsTold(path: string, { status, refused }: RestRefused, until: number): Promise<void> {
    const ms = Math.max(0, until - this.#options.clock.now())
    const what =
      status === 418
        ? 'the exchange has banned this address for asking too much'
        : status === 429
          ? 'the exchange asks to wait (429)'
          : refused
    if (ms > longestWaitMs) {
      throw new RetryableError(
        `${path}: ${what}, for ${Math.ceil(ms / minuteMs)} minutes. Start again after that: it goes on where it was. Others at this address share the limit.`,
        { retryAfterMs: ms },
      )
    }
    await this.#wait(ms, `${path}: ${what}`)
  }

  async #wait(ms: number, why: string): Promise<void> {
    const { clock, signal, onNotice } = this.#options
    onNotice(`${why}: waiting ${Math.ceil(ms / 1_000)} s`)
    await clock.sleep(ms, signal)
    this.#requireWanted()
  }

  #requireWanted(): void {
    if (this.#options.signal.aborted) throw new StoppedAsking('stopped')
  }
}

/** The signal fired while the exchange was asked, or waited for. */
export class StoppedAsking extends RetryableError {}

/** A number of JSON as it is written, since as a double it is another one. */
function asText(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? (context?.source ?? String(value)) : value
}

function refusedOf(status: number, text: string): Refused {
  try {
    const { code, msg, message = msg } = JSON.parse(text) as Readonly<Record<string, unknown>>
    return {
      status,
      code: typeof code === 'number' ? code : null,
      message: typeof message === 'string' ? message.slice(0, 200) : text.slice(0, 200),
    }
  } catch {
    return { status, code: null, message: text.slice(0, 200) }
  }
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

function hostOf(url: string): string {
  return new URL(url).host
}
