import { z } from 'zod'
import { type Duration, durationMs } from '../../runtime/duration.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { WebhookRequests } from './webhookRequest.ts'

/** Where a webhook is, as it is given. */
interface WebhookAddress {
  readonly url: string | URL
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: WebhookRequests['method']
  readonly timeoutMs?: Duration
  readonly maxBatch?: number
}

const options = z.object({
  method: z.enum(['POST', 'PUT', 'PATCH']).default('POST'),
  timeoutMs: z.number().min(1).max(300_000),
  maxBatch: z.int().min(1).max(1_000).nullable(),
})
const ours = ['idempotency-key', 'content-length', 'host', 'connection', 'transfer-encoding']

/**
 * Checks where a webhook is and how it is asked. Throws `ConfigurationError`, which quotes nothing that may be a secret.
 * @param title of the operator
 */
export function webhookRequests(
  title: string,
  { url, headers, method, timeoutMs = '10s', maxBatch }: WebhookAddress,
): WebhookRequests {
  const address = URL.parse(String(url))
  if (address === null || !/^https?:$/.test(address.protocol) || address.username !== '' || address.password !== '') {
    throw new ConfigurationError(
      `${title}: url must be https://… or http://…, without user and password; put those into headers, as authorization`,
    )
  }
  const parsed = options.safeParse({
    method,
    timeoutMs: durationMs(timeoutMs, `${title}: timeoutMs`),
    maxBatch: maxBatch ?? null,
  })
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue
    throw new ConfigurationError(`${title} to ${address.host}: ${path.join('.')}: ${message}`)
  }
  return { ...parsed.data, url: address, headers: headersOf(title, address.host, headers ?? {}) }
}

/** What `Headers` throws would quote the value. */
function headersOf(title: string, host: string, given: Readonly<Record<string, string>>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) {
    if (ours.includes(name.toLowerCase())) {
      throw new ConfigurationError(`${title} to ${host}: header ${name} is set by the outlet; leave it out`)
    }
    try {
      headers.set(name, value)
    } catch {
      throw new ConfigurationError(
        `${title} to ${host}: header ${JSON.stringify(name)} has a name or a value that HTTP cannot carry`,
      )
    }
  }
  return headers
}
