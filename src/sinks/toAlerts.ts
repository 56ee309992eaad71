import { filter, type Observable } from 'rxjs'
import { type AlertEvent, type AlertSeverity, alertIdentity } from '../market/alertEvent.ts'
import { systemClock } from '../runtime/clock.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { MessagesOutlet } from '../runtime/pipeline/outlet.ts'
import { AlertDestination, type AlertReceiver } from './alerts/alertDestination.ts'
import { logReceiver, webhookReceiver } from './alerts/receivers.ts'
import { webhookRequests } from './webhook/webhookRequests.ts'

/** Where alerts go, and which. */
export interface AlertChannel {
  /**
   * `webhook` posts each alert as JSON with its identity in `id` and in the header `Idempotency-Key`; `slack` and `discord` post text to an incoming webhook of theirs; `log` writes a line of JSON to standard error.
   */
  readonly kind: 'webhook' | 'slack' | 'discord' | 'log'
  /** Needed but for `log`: `https:` or `http:`, without user and password. It may hold a secret: no error, log or table has more of it than the host. */
  readonly url?: string | URL
  /** Of every request, such as `authorization`. Not stored, and in no error. */
  readonly headers?: Readonly<Record<string, string>>
  /** An answer that takes longer counts as none. 10 s if left out. */
  readonly timeoutMs?: Duration
  /** Alerts that became true longer ago, as after an outage, go together in one message; 1 hour if left out. ms, or text such as `'1h'`. */
  readonly maxAge?: Duration
  /** Which severities go there; all if left out. */
  readonly severities?: readonly AlertSeverity[]
  /** Which rules go there, by name; all if left out. */
  readonly rules?: readonly string[]
  /** True for an alert that nobody is to be told of now, such as during maintenance; asked when it would be sent, with the time (ms UTC). It stays in the table. */
  readonly isSilenced?: (event: AlertEvent, now: number) => boolean
}

const rules: OptionRules<AlertChannel> = {
  kind: needed.oneOf('webhook', 'slack', 'discord', 'log'),
  // What it holds may be a secret.
  url: optional.such('a URL', (value) => typeof value === 'string' || value instanceof URL),
  headers: optional.record,
  timeoutMs: optional.duration,
  maxAge: optional.duration,
  severities: optional.list,
  rules: optional.list,
  isSilenced: optional.callback,
}

/**
 * Ends a stream of alerts in a channel: each is stored in the transaction of the checkpoint that decided it, and sent right after it.
 *
 * A decision is stored once, ever, by its `alertIdentity`: a restart and a replay of the topic, also from its beginning, send none again. What is stored is sent at least once, and a repeat after a
 * crash carries the same `Idempotency-Key`. More than five at a time, and those older than `maxAge`, go in one message. What the other side refuses is set aside
 * (`millrace outbox list`). Kept meanwhile: in the database what is not sent yet, up to `maxWaitingMessages` a task and outlet, after which the task waits; and an identity for good.
 * @throws ConfigurationError on a channel that cannot be
 */
export function toAlerts(events: Observable<AlertEvent>, channel: AlertChannel): MessagesOutlet<AlertEvent> {
  checkArgument('toAlerts', 'its first argument, the alerts,', events, needed.stream)
  checkOptions('toAlerts', channel, rules)
  const { kind, url, maxAge = '1h', isSilenced = () => false } = channel
  const maxAgeMs = durationMs(maxAge, 'toAlerts: maxAge')
  if (!(maxAgeMs >= 0)) throw new ConfigurationError(`toAlerts: maxAge must be 0 or more, got ${maxAge}.`)
  const receiver = receiverOf(channel)
  const severities = channel.severities === undefined ? null : new Set<string>(channel.severities)
  const names = channel.rules === undefined ? null : new Set(channel.rules)
  const isFor = ({ severity, rule }: AlertEvent) => severities?.has(severity) !== false && names?.has(rule) !== false
  return {
    kind: 'messages',
    values: events.pipe(filter(isFor)),
    encode: (event: AlertEvent) => ({
      time: event.at,
      key: null,
      value: Buffer.from(JSON.stringify(event)),
      identity: alertIdentity(event),
    }),
    to: {
      kind: 'destination',
      name: kind === 'log' ? 'log' : (URL.parse(String(url))?.host ?? kind),
      open: () => new AlertDestination(receiver, { maxAgeMs, isSilenced }, systemClock),
    },
  }
}

function receiverOf({ kind, url, headers, timeoutMs }: AlertChannel): AlertReceiver {
  if (kind === 'log') {
    if (url !== undefined) throw new ConfigurationError('toAlerts: kind log has no url; leave it out.')
    return logReceiver((line) => void process.stderr.write(line))
  }
  if (url === undefined) throw new ConfigurationError(`toAlerts: kind ${kind} needs a url.`)
  const address = {
    url,
    ...(headers === undefined ? {} : { headers }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  return webhookReceiver(kind === 'webhook' ? 'generic' : kind, webhookRequests('toAlerts', address))
}
