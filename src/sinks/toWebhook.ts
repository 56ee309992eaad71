import type { Observable } from 'rxjs'
import { z } from 'zod'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Batch } from '../runtime/batch.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { MessagesOutlet } from '../runtime/outlet.ts'
import { Withdrawn } from '../runtime/withdrawn.ts'
import { WebhookDestination, type WebhookRequests } from './webhook/webhookDestination.ts'

/** Where a webhook is and what is sent there. */
export interface Webhook<T> {
  /** `https:` or `http:`; what goes over `http:` can be read on the way. Without user and password: those belong in `headers`. */
  readonly url: string | URL
  /** What is sent of a value, as JSON; the value itself if left out. Of a value that was `withdrawn` the same is sent as `{ "withdrawn": … }`. */
  readonly body?: (value: T) => unknown
  /** Of every request, such as `authorization`. They are not stored, and no error tells them. */
  readonly headers?: Readonly<Record<string, string>>
  /** POST if left out. */
  readonly method?: 'POST' | 'PUT' | 'PATCH'
  /** An answer that takes longer counts as none. Default 10 s. */
  readonly timeoutMs?: Duration
  /** How many messages at most go together, as a JSON array of `{ id, value }`; one message a request, as it is, where it is left out. */
  readonly maxBatch?: number
}

const rules: OptionRules<Webhook<never>> = {
  // What it holds may be a secret.
  url: needed.such('a URL', (value) => typeof value === 'string' || value instanceof URL),
  body: optional.callback,
  headers: optional.record,
  method: optional.oneOf('POST', 'PUT', 'PATCH'),
  timeoutMs: optional.duration,
  maxBatch: optional.number,
}
const options = z.object({
  method: z.enum(['POST', 'PUT', 'PATCH']).default('POST'),
  timeoutMs: z.number().min(1).max(300_000),
  maxBatch: z.int().min(1).max(1_000).nullable(),
})
const ours = ['idempotency-key', 'content-length', 'host', 'connection', 'transfer-encoding']

/**
 * Ends a stream of a pipeline in a webhook: its messages are stored in the transaction of the checkpoint and sent right after it, one after the other, in order.
 *
 * Each is sent at least once, and none that was not committed. A repeat, after a crash or an answer that was lost, carries the same id in the header `Idempotency-Key` (in a
 * batch: the `id` of each item), by which the receiver tells it. Answered 2xx it is done; 5xx, 408, 425, 429 or not at all, it is sent again, after what `Retry-After` says, up to 5 minutes; with
 * anything else it is refused and set aside, and those behind it go on. A value that JSON cannot hold is set aside as `bad-message`. Kept meanwhile: in the database what is not
 * sent yet, up to `maxWaitingMessages` a task and outlet, after which the task waits.
 * @throws ConfigurationError on an address or an option that cannot be used
 */
export function toWebhook<T>(
  values: Observable<T | Withdrawn<T> | Batch<T | Withdrawn<T>>>,
  webhook: Webhook<NoInfer<T>>,
): MessagesOutlet<T> {
  checkArgument('toWebhook', 'its first argument, the values,', values, needed.stream)
  checkOptions('toWebhook', webhook, rules)
  const { body = (value: T) => value } = webhook
  const requests = requestsOf(webhook)
  return {
    kind: 'messages',
    values,
    encode: (value: T | Withdrawn<T>) => {
      const isGone = value instanceof Withdrawn
      const content = body(isGone ? value.row : value)
      refusePromise('toWebhook: body', content)
      const text = jsonOf(content)
      return { time: 0, key: null, value: isGone ? Buffer.from(`{"withdrawn":${text}}`) : Buffer.from(text) }
    },
    to: { kind: 'destination', name: requests.url.host, open: () => new WebhookDestination(requests) },
  }
}

function requestsOf<T>({ url, headers, method, timeoutMs = '10s', maxBatch }: Webhook<T>): WebhookRequests {
  const address = URL.parse(String(url))
  if (address === null || !/^https?:$/.test(address.protocol) || address.username !== '' || address.password !== '') {
    throw new ConfigurationError(
      'toWebhook: url must be https://… or http://…, without user and password; put those into headers, as authorization',
    )
  }
  const parsed = options.safeParse({
    method,
    timeoutMs: durationMs(timeoutMs, 'toWebhook: timeoutMs'),
    maxBatch: maxBatch ?? null,
  })
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue
    throw new ConfigurationError(`toWebhook to ${address.host}: ${path.join('.')}: ${message}`)
  }
  return { ...parsed.data, url: address, headers: headersOf(address.host, headers ?? {}) }
}

/** What `Headers` throws would quote the value. */
function headersOf(host: string, given: Readonly<Record<string, string>>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) {
    if (ours.includes(name.toLowerCase())) {
      throw new ConfigurationError(`toWebhook to ${host}: header ${name} is set by the outlet; leave it out`)
    }
    try {
      headers.set(name, value)
    } catch {
      throw new ConfigurationError(
        `toWebhook to ${host}: header ${JSON.stringify(name)} has a name or a value that HTTP cannot carry`,
      )
    }
  }
  return headers
}

function jsonOf(body: unknown): string {
  const text = JSON.stringify(body)
  if (text === undefined) throw new TypeError('its body is nothing that JSON can hold')
  return text
}
