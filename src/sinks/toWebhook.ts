import type { Observable } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Batch } from '../runtime/batch.ts'
import type { Duration } from '../runtime/duration.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { MessagesOutlet } from '../runtime/pipeline/outlet.ts'
import { Withdrawn } from '../runtime/withdrawn.ts'
import { WebhookDestination } from './webhook/webhookDestination.ts'
import { webhookRequests } from './webhook/webhookRequests.ts'

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
  const requests = webhookRequests('toWebhook', webhook)
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

function jsonOf(body: unknown): string {
  const text = JSON.stringify(body)
  if (text === undefined) throw new TypeError('its body is nothing that JSON can hold')
  return text
}
