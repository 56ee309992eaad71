import type { Clock } from '../../runtime/clock.ts'
import { causeOf } from '../http/causeOf.ts'
import { bodyText, httpGet } from '../http/httpGet.ts'
import { type AddressLimits, waitOfRefusal } from './addressLimits.ts'
import { inventedHeader, isInvented, misfitText } from './inventedPrices.ts'

/** Why there is no answer, and from when on another try makes sense. */
export interface Refused {
  readonly refused: string
  /** ms by the clock from which another try makes sense; null when it never will. */
  readonly retryAt: number | null
  /** `limit`: said to the address, whoever asks. `host`: of this host alone. `request`: of what was asked. */
  readonly by: 'limit' | 'host' | 'request'
  /** Of HTTP; left out where nobody answered, or nobody was asked. */
  readonly status?: number
}

/** An answer that is none about limits: what was asked for, or why this request is wrong. */
export interface RestReply {
  readonly status: number
  readonly text: string
}

export interface RestClientOptions {
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock: Clock
  readonly timeoutMs: number
  readonly limits: AddressLimits
  /** True where invented prices are what was asked for, null where either will do; real ones unless told. What does not fit is refused. */
  readonly isSimulated?: boolean | null
}

export interface RestQuestion {
  readonly headers?: Readonly<Record<string, string>>
  /** Which part of a minute's weight those who ask may use. */
  readonly share: number
  readonly signal: AbortSignal
}

const maxBodyBytes = 64 * 1024 * 1024
/** A host that has not answered is asked again after this. */
const silentHostMs = 1_000
/** One whose prices are not what was asked for will hardly be another one soon. */
const misfitHostMs = 60_000

/**
 * Requests to the REST hosts of the exchange, within what it allows this address: none is sent while the address is to wait, while the minute's share is used up, or while a host is closed.
 * A refusal is an answer, not an exception: whoever asks has a deadline of their own. It does not wait by itself.
 */
export class RestClient {
  readonly #options: RestClientOptions

  constructor(options: RestClientOptions) {
    this.#options = options
  }

  get limits(): AddressLimits {
    return this.#options.limits
  }

  async ask(url: string, { headers = {}, share, signal }: RestQuestion): Promise<RestReply | Refused> {
    const { limits, timeoutMs, isSimulated = false } = this.#options
    const { host, pathname } = new URL(url)
    const what = `${host}${pathname}`
    const block = limits.blockFor(share)
    if (block !== null) return { refused: block.why, retryAt: block.until, by: 'limit' }
    const closed = limits.hostBlock(host)
    if (closed !== null) return { refused: closed.why, retryAt: closed.until, by: 'host' }
    try {
      const answer = await httpGet(url, { headers, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
      const isThereInvented = isInvented(url, answer.headers[inventedHeader])
      const misfit = misfitText(url, isThereInvented, isSimulated ?? isThereInvented)
      if (misfit !== null) {
        answer.body.destroy()
        limits.blockHost(host, misfitHostMs, misfit)
        return { refused: misfit, retryAt: null, by: 'request' }
      }
      const used = Number(answer.headers['x-mbx-used-weight-1m'] ?? Number.NaN)
      if (Number.isFinite(used) && used >= 0) limits.count(used, answer.headers.date)
      const text = await bodyText(answer, maxBodyBytes)
      if (text === null) {
        return { refused: `${what}: the answer is larger than ${maxBodyBytes} bytes`, retryAt: null, by: 'request' }
      }
      return this.#refusal(host, what, { status: answer.status, text }, answer.headers['retry-after'])
    } catch (error) {
      if (signal.aborted) return { refused: 'stopped', retryAt: null, by: 'request' }
      return this.#close(host, silentHostMs, `${what} did not answer: ${causeOf(error)}`)
    }
  }

  #refusal(host: string, what: string, reply: RestReply, retryAfter: string | undefined): RestReply | Refused {
    const { limits, clock } = this.#options
    const { status, text } = reply
    const why = `${what} answered ${status}: ${text.slice(0, 200)}`
    const waitMs = waitOfRefusal(status, retryAfter)
    if (waitMs === null) return status >= 500 ? this.#close(host, silentHostMs, why, status) : reply
    // These two are said by one host, the others to the address.
    if (status === 403 || status === 451) return this.#close(host, waitMs, why, status)
    limits.blockRest(waitMs, why)
    if (status === 418) limits.blockConnecting(waitMs, why)
    return { refused: why, retryAt: clock.now() + waitMs, by: 'limit', status }
  }

  #close(host: string, waitMs: number, refused: string, status?: number): Refused {
    const { limits, clock } = this.#options
    limits.blockHost(host, waitMs, refused)
    return { refused, retryAt: clock.now() + waitMs, by: 'host', ...(status === undefined ? {} : { status }) }
  }
}
