import type { Clock } from '../runtime/clock.ts'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import { causeOf } from '../sources/binance/restTrades.ts'

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
  /** What one minute and address may use, until the exchange says otherwise. */
  readonly weightPerMinute: number
  readonly clock: Clock
  readonly timeoutMs: number
  /** Ends every wait and request. */
  readonly signal: AbortSignal
  /** Lines for people on each wait. */
  readonly onNotice: (line: string) => void
}

/** The limit is the address's, and a feed at the same address needs the rest. */
const weightShare = 0.5
const minuteMs = 60_000
/** A ban that is longer is not waited for: somebody should look. */
const longestWaitMs = 600_000
const mostTries = 8
/** A host that has never answered is a wrong name or a missing network, and somebody sits before it. */
const mostFirstTries = 3
const firstRetryMs = 1_000
const longestRetryMs = 30_000
/** A firewall that has said no says no for minutes, and counts who goes on asking. */
const firewallWaitMs = 60_000
const mostFirewallTries = 3
const maxBodyBytes = 64 * 1024 * 1024

/**
 * Requests to the REST interface of the exchange, one at a time and within its limits: it stays below half of the minute's weight by the exchange's own count and clock, waits for as long as
 * 429 and 418 say, asks a firewall (403) again only after minutes, and tries again what did not answer. Waits are measured by a clock that nobody sets.
 *
 * Throws `RetryableError` once it gives up and when the signal fires, `ConfigurationError` for a host that will never serve this.
 */
export class ExchangeApi {
  readonly #options: ExchangeApiOptions
  #weightPerMinute: number
  #used = 0
  #hasAnswered = false
  /** How long from the newest answer until the exchange counts anew. */
  #minuteLeftMs = minuteMs

  constructor(options: ExchangeApiOptions) {
    this.#options = options
    this.#weightPerMinute = options.weightPerMinute
  }

  /** What the exchange last said was used of this minute. */
  get usedWeight(): number {
    return this.#used
  }

  get weightPerMinute(): number {
    return this.#weightPerMinute
  }

  /** By what the exchange says of its limits. */
  limitWeight(perMinute: number): void {
    this.#weightPerMinute = perMinute
  }

  async get(path: string, query: Readonly<Record<string, string>>): Promise<ApiAnswer> {
    const url = `${this.#options.restUrl}${path}?${new URLSearchParams(query)}`
    for (let tries = 1, refusals = 1; ; tries++) {
      await this.#room()
      const answer = await this.#ask(url)
      if ('problem' in answer) {
        if (tries >= (this.#hasAnswered ? mostTries : mostFirstTries)) {
          throw new RetryableError(`${url.split('?')[0]}: ${answer.problem}, ${tries} times.`)
        }
        await this.#wait(Math.min(longestRetryMs, firstRetryMs * 2 ** (tries - 1)), `${path}: ${answer.problem}`)
        continue
      }
      const { status, text } = answer
      if (status >= 200 && status < 300) return { body: parsed(path, text) }
      if (status === 429 || status === 418) {
        await this.#waitAsTold(path, answer)
        // Being told to wait is no failure: it may happen for as long as others use the limit up.
        tries = 0
        continue
      }
      if (status === 403) {
        if (refusals++ >= mostFirewallTries) {
          throw new RetryableError(
            `${path} answers 403: the firewall of ${hostOf(url)} refuses this address. Ask again in an hour, from another address, or name another host (MILLRACE_BINANCE_REST_URL).`,
            { retryAfterMs: 3_600_000 },
          )
        }
        await this.#wait(firewallWaitMs * refusals, `${path} answers 403: the firewall of the exchange refuses`)
        continue
      }
      if (status === 451) {
        throw new ConfigurationError(
          `${hostOf(url)} answers 451: the exchange does not serve this location. For spot candles try MILLRACE_BINANCE_REST_URL=https://data-api.binance.vision.`,
        )
      }
      if (status === 404) {
        throw new ConfigurationError(
          `${hostOf(url)} has no ${path} (404). Name a host of the exchange that serves it with MILLRACE_BINANCE_REST_URL.`,
        )
      }
      if (status >= 400 && status < 500) return { refused: refusedOf(status, text) }
      if (tries >= mostTries) throw new RetryableError(`${path} answers ${status}, ${mostTries} times.`)
      await this.#wait(Math.min(longestRetryMs, firstRetryMs * 2 ** (tries - 1)), `${path} answers ${status}`)
    }
  }

  /** Waits until the exchange counts anew, where this minute's share is used up. */
  async #room(): Promise<void> {
    this.#requireWanted()
    if (this.#used < this.#weightPerMinute * weightShare) return
    const ms = this.#minuteLeftMs
    this.#used = 0
    await this.#wait(ms, `half of the request weight of this minute is used (of ${this.#weightPerMinute})`)
  }

  async #ask(url: string): Promise<HttpAnswer | { readonly problem: string }> {
    const { signal, timeoutMs } = this.#options
    try {
      const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
      this.#count(response.headers)
      const text = await bodyText(response)
      if (text === null) return { problem: `the answer is larger than ${maxBodyBytes} bytes` }
      const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
      return {
        status: response.status,
        text,
        retryAfterMs: Number.isFinite(retryAfter) && retryAfter >= 0 ? retryAfter * 1_000 : null,
      }
    } catch (error) {
      this.#requireWanted()
      return { problem: `no answer (${causeOf(error)})` }
    }
  }

  #count(headers: Headers): void {
    this.#hasAnswered = true
    const used = Number(headers.get('x-mbx-used-weight-1m') ?? Number.NaN)
    if (Number.isFinite(used) && used >= 0) this.#used = used
    const date = Date.parse(headers.get('date') ?? '')
    // The header has whole seconds, so the minute may have one more.
    this.#minuteLeftMs = Number.isNaN(date) ? minuteMs : minuteMs - (date % minuteMs) + 1_000
  }

  async #waitAsTold(path: string, { status, retryAfterMs }: HttpAnswer): Promise<void> {
    const ms = retryAfterMs ?? (status === 418 ? 2 * minuteMs : minuteMs)
    const what = status === 418 ? 'has banned this address for asking too much' : 'asks to wait (429)'
    if (ms > longestWaitMs) {
      throw new RetryableError(
        `${path}: the exchange ${what}, for ${Math.ceil(ms / minuteMs)} minutes. Start again after that: it goes on where it was. Others at this address share the limit.`,
        { retryAfterMs: ms },
      )
    }
    this.#used = 0
    await this.#wait(ms, `${path}: the exchange ${what}`)
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

interface HttpAnswer {
  readonly status: number
  readonly text: string
  readonly retryAfterMs: number | null
}

async function bodyText(response: Response): Promise<string | null> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > maxBodyBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConfigurationError(
      `${path}: the answer is no JSON but begins with ${JSON.stringify(text.slice(0, 60))}. Is MILLRACE_BINANCE_REST_URL a host of the exchange?`,
      { cause: error },
    )
  }
}

function refusedOf(status: number, text: string): Refused {
  try {
    const { code, msg } = JSON.parse(text) as { code?: unknown; msg?: unknown }
    return {
      status,
      code: typeof code === 'number' ? code : null,
      message: typeof msg === 'string' ? msg.slice(0, 200) : text.slice(0, 200),
    }
  } catch {
    return { status, code: null, message: text.slice(0, 200) }
  }
}

function hostOf(url: string): string {
  return new URL(url).host
}
