import type { Clock } from '../../runtime/clock.ts'

/** Why something is not asked for now, and until when (ms by the feed's clock). */
export interface Block {
  readonly until: number
  readonly why: string
  /** When it began, ms by the feed's clock. */
  readonly since: number
}

/** What of a minute's weight the live feed uses at most: others may share the address. */
export const feedWeightShare = 0.8
/** What history uses at most: the live feed fills its gaps from the same budget. */
export const historyWeightShare = 0.5
const minuteMs = 60_000

/** The exchange allows 300 attempts in five minutes and address; others may share the address. */
const maxAttempts = 100
const attemptWindowMs = 300_000

const known = new WeakMap<Clock, Map<string, AddressLimits>>()

/**
 * The limits of this process at an exchange, by the host that is asked first: the same ones for all who ask there, feeds and backfills, and however often they are opened anew.
 * @param weightPerMinute until the exchange says otherwise
 */
export function limitsOfAddress(clock: Clock, restUrl: string, weightPerMinute: number): AddressLimits {
  const byHost = known.get(clock) ?? new Map<string, AddressLimits>()
  known.set(clock, byHost)
  const { host } = new URL(restUrl)
  const limits = byHost.get(host) ?? new AddressLimits(clock, weightPerMinute)
  byHost.set(host, limits)
  return limits
}

/**
 * What the exchange has said to this address, over all connections and requests and however often a feed is opened anew: asking on is what gets an address banned for days. The weight that a
 * minute has cost is read from the answers, which count what others at this address ask for, too; the minute is the exchange's, as its answers tell the time.
 *
 * Keeps the attempts of five minutes.
 */
export class AddressLimits {
  readonly #clock: Clock
  #attempts: number[] = []
  #rest: Block | null = null
  #connecting: Block | null = null
  readonly #hosts = new Map<string, Block>()
  #perMinute: number
  #used = 0
  #usedSince = 0
  #minuteEndsAt = 0

  constructor(clock: Clock, weightPerMinute: number) {
    this.#clock = clock
    this.#perMinute = weightPerMinute
  }

  /** Weight that this minute has cost, as far as the exchange has told. */
  get usedWeight(): number {
    return this.#clock.now() < this.#minuteEndsAt ? this.#used : 0
  }

  get weightPerMinute(): number {
    return this.#perMinute
  }

  /** By what the exchange says of its limits. */
  limitWeight(perMinute: number): void {
    this.#perMinute = perMinute
  }

  /** What an answer tells of the minute. @param date of its header */
  count(usedWeight: number, date: string | undefined): void {
    const now = this.#clock.now()
    const told = Date.parse(date ?? '')
    if (this.usedWeight === 0) this.#usedSince = now
    this.#used = usedWeight
    // The header has whole seconds, so the minute may have one more.
    this.#minuteEndsAt = now + minuteMs + (Number.isNaN(told) ? 0 : 1_000 - (told % minuteMs))
  }

  /** Why REST is not asked by the feed at all, or null. */
  get restBlock(): Block | null {
    return this.blockFor(feedWeightShare)
  }

  /** Why REST is not asked by those who may use this share of the weight, or null. */
  blockFor(share: number): Block | null {
    const refused = this.#valid(this.#rest)
    if (refused !== null || this.usedWeight < this.#perMinute * share) return refused
    const why = `the request weight of this minute is used up (${this.#used} of ${this.#perMinute}, of which ${Math.round(share * 100)} % are ours)`
    return { until: this.#minuteEndsAt, why, since: this.#usedSince }
  }

  /** Why one host is asked nothing, or null. */
  hostBlock(host: string): Block | null {
    return this.#valid(this.#hosts.get(host) ?? null)
  }

  blockHost(host: string, waitMs: number, why: string): void {
    this.#hosts.set(host, this.#later(this.#hosts.get(host) ?? null, waitMs, why))
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

/** The longest ban that the exchange knows; a header that says more is a mistake of somebody between, and would hold for ever. */
const longestWaitMs = 3 * 86_400_000
const defaultWaitMs: Readonly<Record<number, number>> = { 403: 60_000, 418: 120_000, 429: 60_000, 451: 3_600_000 }

/** How long a refusal asks to be left alone for, ms; null for one that does not. @param retryAfter the header, in seconds */
export function waitOfRefusal(status: number, retryAfter: string | null | undefined): number | null {
  const waitMs = defaultWaitMs[status]
  if (waitMs === undefined) return null
  const seconds = Number(retryAfter ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(longestWaitMs, Math.max(1_000, seconds * 1_000)) : waitMs
}
