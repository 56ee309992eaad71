import { type WebhookRequests, webhookRequest } from '../webhook/webhookRequest.ts'
import type { AlertReceiver } from './alertDestination.ts'
import { type AlertShape, bodyOfDigest, bodyOfOne, digestIdentity, digestText } from './alertMessages.ts'

/** What each takes, at most: Slack one message a second, Discord five in two. */
const everyMs: Readonly<Record<AlertShape, number>> = { generic: 0, slack: 1_000, discord: 500 }

/** Tells alerts by HTTP, in the shape that the other side reads. */
export function webhookReceiver(shape: AlertShape, requests: WebhookRequests): AlertReceiver {
  const send = (body: unknown, identity: string, signal: AbortSignal) =>
    webhookRequest(requests, Buffer.from(JSON.stringify(body)), identity, signal)
  return {
    everyMs: everyMs[shape],
    one: (alert, signal) => send(bodyOfOne(shape, alert), alert.identity, signal),
    digest: (digest, signal) => send(bodyOfDigest(shape, digest), digestIdentity(digest), signal),
  }
}

/** Writes a line of JSON for each message. */
export function logReceiver(write: (line: string) => void): AlertReceiver {
  const line = (message: string, facts: object) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level: 'warn', code: 'ALERT', message, ...facts })}\n`)
  return {
    everyMs: 0,
    one: async ({ identity, event: { text, ...event } }) => line(text, { id: identity, ...event }),
    digest: async (digest) =>
      line(digestText(digest), { digest: digest.reason, ids: digest.alerts.map(({ identity }) => identity) }),
  }
}
