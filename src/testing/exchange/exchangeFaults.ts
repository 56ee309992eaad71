/** Statuses with which a request or a handshake is refused. */
export interface ExchangeRefusal {
  /** Of HTTP: 403, 418, 429, 451, 503. */
  readonly status: number
  /** Told as `Retry-After`, in whole seconds: a count. Not told if left out. */
  readonly retryAfterSeconds?: number
  /** How many requests it strikes, as a count. 1 unless told. */
  readonly times?: number
  /** Only requests whose path holds this text. */
  readonly path?: string
}

/** What the simulated exchange does wrong, until it is told otherwise; changed at any time. */
export interface ExchangeFaults {
  /** No stream brings anything, though trades go on. */
  isSilent: boolean
  /** Pings are not answered. */
  isDeaf: boolean
  /** Only these streams bring nothing: `btcusdt@trade`. */
  readonly stalled: Set<string>
  /** TCP connections for the WebSocket are cut before the handshake. */
  refusesConnections: boolean
  /** TCP connections for REST are cut before the answer. */
  isRestDown: boolean
  /** How long each REST answer takes, ms. */
  restDelayMs: number
  /** How many of the newest trades REST does not tell yet. */
  restLagCount: number
  /** REST gives rows of trades in disorder. */
  isRestUnsorted: boolean
  /** How far the exchange's clock is off, ms: event times, `Date` and candles in progress follow it. */
  clockStepMs: number
}

export function noExchangeFaults(): ExchangeFaults {
  return {
    isSilent: false,
    isDeaf: false,
    stalled: new Set(),
    refusesConnections: false,
    isRestDown: false,
    restDelayMs: 0,
    restLagCount: 0,
    isRestUnsorted: false,
    clockStepMs: 0,
  }
}

/** Refusals that strike the next requests. */
export class Refusals {
  #waiting: { readonly refusal: ExchangeRefusal; left: number }[] = []

  add(refusal: ExchangeRefusal): void {
    this.#waiting.push({ refusal, left: refusal.times ?? 1 })
  }

  clear(): void {
    this.#waiting = []
  }

  take(path: string): ExchangeRefusal | null {
    const found = this.#waiting.find(({ refusal }) => refusal.path === undefined || path.includes(refusal.path))
    if (found === undefined) return null
    if (--found.left <= 0) this.#waiting = this.#waiting.filter((one) => one !== found)
    return found.refusal
  }
}
