import { createHash } from 'node:crypto'
import type { AlertEvent } from '../../market/alertEvent.ts'

/** An alert on its way, with what tells a repeat of it. */
export interface SentAlert {
  readonly identity: string
  readonly event: AlertEvent
}

/** How a receiver wants to be told. */
export type AlertShape = 'generic' | 'slack' | 'discord'

/** Several alerts in one message, and why they go together. */
export interface Digest {
  readonly alerts: readonly SentAlert[]
  /** `old`: they are from longer ago than the channel tells one by one. `many`: they come all at once. */
  readonly reason: 'old' | 'many'
}

/** How many lines of a digest people are shown; the rest is counted. */
const maxLines = 20

/** The body of one alert. */
export function bodyOfOne(shape: AlertShape, { identity, event }: SentAlert): unknown {
  return shape === 'generic' ? { id: identity, ...event } : chat(shape, event.text)
}

/** The body of several. */
export function bodyOfDigest(shape: AlertShape, digest: Digest): unknown {
  const { alerts, reason } = digest
  if (shape === 'generic') {
    return {
      digest: reason,
      count: alerts.length,
      alerts: alerts.map(({ identity, event }) => ({ id: identity, ...event })),
    }
  }
  return chat(shape, digestText(digest))
}

/** In lines, for people. */
export function digestText({ alerts, reason }: Digest): string {
  const why = reason === 'old' ? 'from a while ago' : 'at once'
  const lines = alerts.slice(0, maxLines).map(({ event }) => `- ${event.text}`)
  const left = alerts.length - lines.length
  return [`${alerts.length} alerts ${why}`, ...lines, ...(left === 0 ? [] : [`and ${left} more`])].join('\n')
}

/** The same for the same alerts. */
export function digestIdentity({ alerts }: Digest): string {
  const hash = createHash('sha256')
  for (const { identity } of alerts) hash.update(`${identity}\n`)
  return `digest/${hash.digest('hex').slice(0, 32)}`
}

/** Slack takes 40,000 characters, Discord 2,000. */
const maxChars: Readonly<Record<Exclude<AlertShape, 'generic'>, number>> = { slack: 4_000, discord: 1_900 }

function chat(shape: Exclude<AlertShape, 'generic'>, text: string): unknown {
  const cut = text.length <= maxChars[shape] ? text : `${text.slice(0, maxChars[shape] - 1)}…`
  // Nobody is called by what stands in a name: Slack reads <!channel>, Discord @everyone.
  if (shape === 'slack') return { text: cut.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;') }
  return { content: cut, allowed_mentions: { parse: [] } }
}
