import { RefusedMessageError, RetryableError } from '../../runtime/errors.ts'

/** What a webhook's requests are made of. */
export interface WebhookRequests {
  readonly url: URL
  readonly method: 'POST' | 'PUT' | 'PATCH'
  /** Of every request, besides `Content-Type` and `Idempotency-Key`. */
  readonly headers: Headers
  readonly timeoutMs: number
  /** Null sends each message in a request of its own, as it is; a number that many at most, as a JSON array. */
  readonly maxBatch: number | null
}

/** Answers that may be others a moment later. */
const passing = new Set([408, 425, 429])
/** What is read of an answer, so that its connection can serve the next request. */
const maxAnswerBytes = 64 * 1024
/** What an error quotes of it. */
const maxQuotedChars = 200

/**
 * Sends one request. Throws `RetryableError` where it may go another time, `RefusedMessageError` where it never will.
 * @param id of the only message, or null where each carries its own
 */
export async function webhookRequest(
  requests: WebhookRequests,
  body: Buffer<ArrayBuffer>,
  id: string | null,
  signal: AbortSignal,
): Promise<void> {
  const { url, method, timeoutMs } = requests
  const headers = new Headers(requests.headers)
  if (!headers.has('content-type')) headers.set('content-type', 'application/json')
  if (id !== null) headers.set('idempotency-key', headerText(id))
  const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  let response: Response
  let quoted: string
  try {
    response = await fetch(url, { method, headers, body, redirect: 'manual', signal: ends })
    quoted = await startOf(response)
  } catch (error) {
    throw new RetryableError(
      `${method} to ${url.host} was not answered: ${reasonOf(error, timeoutMs)}; the message is sent again`,
    )
  }
  const { status } = response
  if (status >= 200 && status < 300) return
  const answer = `${method} to ${url.host} was answered with ${status}${quoted === '' ? '' : `: ${quoted}`}`
  if (status >= 500 || passing.has(status)) {
    const retryAfterMs = retryAfter(response.headers.get('retry-after'))
    throw new RetryableError(answer, retryAfterMs === null ? {} : { retryAfterMs })
  }
  const why = status >= 300 && status < 400 ? ' (redirects are not followed: name the address that it leads to)' : ''
  throw new RefusedMessageError(`${answer}${why}`, id === null ? {} : { id })
}

/** A name may have characters that a header cannot. */
function headerText(id: string): string {
  return id.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character))
}

/** Reads the answer, up to a bound, and gives the start of it. */
async function startOf({ body }: Response): Promise<string> {
  if (body === null) return ''
  const reader = body.getReader()
  const parts: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (bytes < maxQuotedChars * 4) parts.push(value)
    bytes += value.length
    if (bytes >= maxAnswerBytes) {
      await reader.cancel()
      break
    }
  }
  const text = Buffer.concat(parts).toString().replace(/\s+/g, ' ').replace(/\p{C}/gu, '').trim()
  return text.length <= maxQuotedChars ? text : `${text.slice(0, maxQuotedChars - 1)}…`
}

/** Of what `fetch` throws only the code is told: its words may hold the address, and with it a secret. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `not within ${timeoutMs} ms`
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    const { code } = one as { readonly code?: unknown }
    if (typeof code === 'string') return code
    if (one.name === 'HTTPParserError') return 'what answers there does not speak HTTP'
  }
  return error instanceof Error ? error.name : 'the connection failed'
}

/** Seconds or a date, as ms from now; null where it says neither. */
function retryAfter(text: string | null): number | null {
  if (text === null) return null
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const until = Date.parse(text)
  return Number.isNaN(until) ? null : Math.max(0, until - Date.now())
}
