/** The limits of the simulated exchange; those of the real one unless told. */
export interface ExchangeLimits {
  /** Request weight in a minute; more is answered with 429. Count of weight units. */
  readonly weightPerMinute: number
  /** How many requests after a 429, before its time is over, make a ban (418). */
  readonly requestsUntilBan: number
  /** ms of the first ban; each further one is twice as long, up to three days. */
  readonly firstBanMs: number
  /** How many messages a second one connection may send, pings included; it is cut on more. */
  readonly messagesPerSecond: number
  /** How many streams one connection carries. */
  readonly streamsPerConnection: number
  /** How many connections may be tried in five minutes; more are answered with 429. */
  readonly connectionsPer5Minutes: number
  /** ms after which a connection is cut. */
  readonly maxConnectionMs: number
}

export const realLimits: ExchangeLimits = {
  weightPerMinute: 6_000,
  requestsUntilBan: 10,
  firstBanMs: 120_000,
  messagesPerSecond: 5,
  streamsPerConnection: 1_024,
  connectionsPer5Minutes: 300,
  maxConnectionMs: 86_400_000,
}

/** Why something is not served, and for how long. */
export interface LimitRefusal {
  readonly status: 429 | 418
  readonly retryAfterSeconds: number
}

const minuteMs = 60_000
const longestBanMs = 3 * 86_400_000

/** Counts what one address asks for. All times are ms UTC by the exchange's clock. */
export class RequestLimits {
  readonly #limits: ExchangeLimits
  /** Weight of all requests. */
  spent = 0
  #minute = 0
  #used = 0
  #blockedUntil = 0
  #bannedUntil = 0
  #sinceRefusal = 0
  #bans = 0
  #attempts: number[] = []

  constructor(limits: ExchangeLimits) {
    this.#limits = limits
  }

  /** Weight that this minute has cost. */
  used(now: number): number {
    this.#turn(now)
    return this.#used
  }

  /** Null when the request is served. */
  request(weight: number, now: number): LimitRefusal | null {
    const banned = this.banned(now)
    if (banned !== null) return banned
    this.#turn(now)
    this.#used += weight
    this.spent += weight
    if (now >= this.#blockedUntil && this.#used <= this.#limits.weightPerMinute) {
      this.#sinceRefusal = 0
      return null
    }
    this.#blockedUntil = Math.max(this.#blockedUntil, (this.#minute + 1) * minuteMs)
    if (++this.#sinceRefusal > this.#limits.requestsUntilBan) {
      this.#bannedUntil = now + Math.min(longestBanMs, this.#limits.firstBanMs * 2 ** this.#bans++)
      this.#sinceRefusal = 0
      return { status: 418, retryAfterSeconds: secondsUntil(this.#bannedUntil, now) }
    }
    return { status: 429, retryAfterSeconds: secondsUntil(this.#blockedUntil, now) }
  }

  /** Null when the connection is taken. */
  connection(now: number): LimitRefusal | null {
    const banned = this.banned(now)
    if (banned !== null) return banned
    this.#attempts = this.#attempts.filter((at) => at > now - 5 * minuteMs)
    this.#attempts.push(now)
    if (this.#attempts.length <= this.#limits.connectionsPer5Minutes) return null
    return { status: 429, retryAfterSeconds: secondsUntil((this.#attempts[0] as number) + 5 * minuteMs, now) }
  }

  banned(now: number): LimitRefusal | null {
    return now < this.#bannedUntil ? { status: 418, retryAfterSeconds: secondsUntil(this.#bannedUntil, now) } : null
  }

  #turn(now: number): void {
    const minute = Math.floor(now / minuteMs)
    if (minute === this.#minute) return
    this.#minute = minute
    this.#used = 0
  }
}

function secondsUntil(until: number, now: number): number {
  return Math.max(1, Math.ceil((until - now) / 1_000))
}
