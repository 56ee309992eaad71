import type { AlertEvent } from '../../market/alertEvent.ts'
import { alertIdentity } from '../../market/alertEvent.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Delivery, Destination } from '../../runtime/log/destination.ts'
import type { Digest, SentAlert } from './alertMessages.ts'

/** Who takes alerts, one or several at a time. */
export interface AlertReceiver {
  /** Least time between two messages, ms. */
  readonly everyMs: number
  /** Throws `RetryableError` where it may go another time, `RefusedMessageError` where it never will. */
  one(alert: SentAlert, signal: AbortSignal): Promise<void>
  digest(digest: Digest, signal: AbortSignal): Promise<void>
}

/** What a channel does with alerts on their way. */
export interface AlertDelivery {
  /** Alerts that became true longer ago than this go together. */
  readonly maxAgeMs: number
  /** True for one that nobody is to be told of now. */
  readonly isSilenced: (event: AlertEvent, now: number) => boolean
}

/** More fresh ones than this at a time go together. */
const mostAtOnce = 5
const maxMessages = 200
/** No more than that can come again. */
const maxTold = 2 * maxMessages

/** Tells alerts to a receiver, at least once each, under identities that stay; those that are old, or come all at once, in one message. */
export class AlertDestination implements Destination {
  readonly maxMessages = maxMessages
  readonly #receiver: AlertReceiver
  readonly #delivery: AlertDelivery
  readonly #clock: Clock
  /** The last ones: those of a call that failed later on come again. */
  readonly #told = new Set<string>()
  #sentAt = Number.NEGATIVE_INFINITY

  constructor(receiver: AlertReceiver, delivery: AlertDelivery, clock: Clock) {
    this.#receiver = receiver
    this.#delivery = delivery
    this.#clock = clock
  }

  async claim(): Promise<null> {
    return null
  }

  async send(messages: readonly Delivery[], _place: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    const all = messages.map(alertOf).filter((alert) => this.#isWanted(alert, now))
    const isOld = ({ event }: SentAlert) => now - event.at > this.#delivery.maxAgeMs
    const old = all.filter(isOld)
    const fresh = all.filter((alert) => !isOld(alert))
    if (old.length > 0) await this.#tell({ alerts: old, reason: 'old' }, signal)
    if (fresh.length > mostAtOnce) await this.#tell({ alerts: fresh, reason: 'many' }, signal)
    else for (const alert of fresh) await this.#tell({ alerts: [alert], reason: 'many' }, signal)
  }

  async close(): Promise<void> {}

  #isWanted({ event, identity }: SentAlert, now: number): boolean {
    return !this.#told.has(identity) && !this.#delivery.isSilenced(event, now)
  }

  async #tell(digest: Digest, signal: AbortSignal): Promise<void> {
    const waitMs = this.#sentAt + this.#receiver.everyMs - this.#clock.now()
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
    signal.throwIfAborted()
    const [only] = digest.alerts
    try {
      if (digest.alerts.length === 1 && digest.reason === 'many') await this.#receiver.one(only as SentAlert, signal)
      else await this.#receiver.digest(digest, signal)
    } finally {
      this.#sentAt = this.#clock.now()
    }
    for (const { identity } of digest.alerts) this.#told.add(identity)
    for (const oldest of this.#told) {
      if (this.#told.size <= maxTold) break
      this.#told.delete(oldest)
    }
  }
}

/** The delivery's own id counts messages; what is told twice is known by what it says. */
function alertOf({ value }: Delivery): SentAlert {
  const event = JSON.parse(Buffer.from(value ?? '').toString()) as AlertEvent
  return { identity: alertIdentity(event), event }
}
