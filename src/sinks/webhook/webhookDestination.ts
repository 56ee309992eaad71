import type { Delivery, Destination } from '../../runtime/log/destination.ts'
import { type WebhookRequests, webhookRequest } from './webhookRequest.ts'

/** Sends messages by HTTP. Keeps no place: each is sent at least once, under an id that stays the same. */
export class WebhookDestination implements Destination {
  readonly maxMessages: number
  readonly #requests: WebhookRequests

  constructor(requests: WebhookRequests) {
    this.#requests = requests
    this.maxMessages = requests.maxBatch ?? 1
  }

  async claim(): Promise<null> {
    return null
  }

  async send(messages: readonly Delivery[], _place: number, signal: AbortSignal): Promise<void> {
    if (this.#requests.maxBatch !== null) return webhookRequest(this.#requests, batchOf(messages), null, signal)
    for (const { id, value } of messages) await webhookRequest(this.#requests, Buffer.from(value ?? 'null'), id, signal)
  }

  async close(): Promise<void> {}
}

/** The bodies, which are JSON, in one array, each with its id. */
function batchOf(messages: readonly Delivery[]): Buffer<ArrayBuffer> {
  const items = messages.map(
    ({ id, value }) => `{"id":${JSON.stringify(id)},"value":${Buffer.from(value ?? 'null').toString()}}`,
  )
  return Buffer.from(`[${items.join(',')}]`)
}
