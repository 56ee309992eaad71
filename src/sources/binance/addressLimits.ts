import type { Clock } from '../../runtime/clock.ts'

/** Why something is not asked for now, and until when (ms by the feed's clock). */
export interface Block {
  readonly until: number
  readonly why: string
  /** When it began, ms by the feed's clock. */
  readonly since: number
}

/** The exchange allows 300 attempts in five minutes and address; others may share the address. */
const maxAttempts = 100
const attemptWindowMs = 300_000

/**
 * What the exchange has said to this address, over all connections of a feed and however often it is opened anew: asking on is what gets an address banned for days.
 *
 * Keeps the attempts of five minutes.
 */
export class AddressLimits {
  readonly #clock: Clock
  #attempts: number[] = []
  #rest: Block | null = null
  #connecting: Block | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Why REST is not asked at all, or null. */
  get restBlock(): Block | null {
    return this.#valid(this.#rest)
  }

  /** Why no connection is opened, or null. */
  get connectBlock(): Block | null {
    return this.#valid(this.#connecting)
  }

  blockRest(waitMs: number, why: string): void {
    this.#rest = this.#later(this.#rest, waitMs, why)
  }

  blockConnecting(waitMs: number, why: string): void {
    this.#connecting = this.#later(this.#connecting, waitMs, why)
  }

  /** How long to wait before the next connection, ms; 0 for not at all. */
  connectInMs(): number {
    const now = this.#clock.now()
    this.#attempts = this.#attempts.filter((at) => at > now - attemptWindowMs)
    const [oldest] = this.#attempts
    const rateMs = this.#attempts.length < maxAttempts || oldest === undefined ? 0 : oldest + attemptWindowMs - now
    return Math.max(rateMs, (this.connectBlock?.until ?? now) - now)
  }

  countAttempt(): void {
    this.#attempts.push(this.#clock.now())
  }

  #valid(block: Block | null): Block | null {
    return block !== null && this.#clock.now() < block.until ? block : null
  }

  #later(block: Block | null, waitMs: number, why: string): Block {
    const now = this.#clock.now()
    const known = this.#valid(block)
    if (known !== null && known.until >= now + waitMs) return known
    return { until: now + waitMs, why, since: known?.since ?? now }
  }
}

const defaultWaitMs: Readonly<Record<number, number>> = { 403: 60_000, 418: 120_000, 429: 60_000, 451: 3_600_000 }

/** How long a refusal asks to be left alone for, ms; null for one that does not. @param retryAfter the header, in seconds */
export function waitOfRefusal(status: number, retryAfter: string | null | undefined): number | null {
  const waitMs = defaultWaitMs[status]
  if (waitMs === undefined) return null
  const seconds = Number(retryAfter ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.max(1_000, seconds * 1_000) : waitMs
}
