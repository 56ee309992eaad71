import { type Clock, systemClock } from '../../runtime/clock.ts'
import { Random } from '../random.ts'
import type { SimulatedExchange } from './simulatedExchange.ts'

/** How a simulated exchange trades by itself. */
export interface SeededTradingOptions {
  /** The one that trades. It is not closed. */
  readonly exchange: SimulatedExchange
  /** Decides symbols, prices, quantities and faults; a seed, not a count. */
  readonly seed: number | string
  /** Number of trades a second over all symbols, from 0. */
  readonly tradesPerSecond: number
  /** Number of faults a minute, from 0: those that a feed has to get over, one after another by chance. None unless told. */
  readonly faultsPerMinute?: number
  /** Of the trades' times; the system's unless told. */
  readonly clock?: Clock
  /** Told of each fault, in words. */
  readonly onFault?: (what: string) => void
  /** Told when one that lasts is over. */
  readonly onFaultEnd?: () => void
}

const stepMs = 20
const tickMs = 1_000
const faultMs = 5_000
/** Longer than windows wait for late trades. */
const outageMs = 60_000

/**
 * Trades on a simulated exchange by a seed: prices that walk, orders of one to four fills, a tick a second, and faults where they are asked for.
 *
 * Keeps a price a symbol. Started again with the same seed it draws the same market; when each trade comes is for the clock to say.
 */
export class SeededTrading {
  readonly #options: SeededTradingOptions
  readonly #clock: Clock
  readonly #random: Random
  readonly #chance: Random
  readonly #prices = new Map<string, number>()
  readonly #stop = new AbortController()
  #run: Promise<void> | null = null
  #tickedAt = 0
  #endFault: (() => void) | null = null
  #faultEndsAt = 0
  /** How many faults there have been, by what they were. */
  readonly faults = new Map<string, number>()

  constructor(options: SeededTradingOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#random = new Random(options.seed).fork('market')
    this.#chance = new Random(options.seed).fork('faults')
  }

  /** Begins, once. */
  start(): void {
    this.#run ??= this.#trade()
  }

  /** Ends the trading and a fault that is going on; resolves when nothing comes any more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#run
    this.#endFault?.()
    this.#endFault = null
  }

  /** What is due between two moments (ms UTC), at once: for virtual time. */
  step(from: number, now: number): void {
    const { exchange, tradesPerSecond } = this.#options
    const mean = (tradesPerSecond * (now - from)) / 1_000
    const count = Math.floor(mean) + (this.#random.chance(mean % 1) ? 1 : 0)
    for (let made = 0; made < count; made++) {
      this.#order(from + Math.floor(((made + 1) * (now - from)) / (count + 1)))
    }
    if (now - this.#tickedAt >= tickMs) {
      this.#tickedAt = now
      exchange.tick(now)
    }
    this.#disturb(now, now - from)
  }

  async #trade(): Promise<void> {
    let from = this.#clock.now()
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(stepMs, this.#stop.signal)
      // A clock that is set back makes no trades of the past.
      const now = Math.max(from, this.#clock.now())
      this.step(from, now)
      from = now
    }
  }

  #order(time: number): void {
    const { exchange } = this.#options
    const random = this.#random
    const symbol = random.pick(exchange.symbols)
    const price = Math.max(1_000, (this.#prices.get(symbol) ?? 10_000 + random.int(0, 90_000)) + random.int(-3, 3))
    this.#prices.set(symbol, price)
    exchange.trade(symbol, {
      time,
      price: `${Math.floor(price / 100)}.${String(price % 100).padStart(2, '0')}000000`,
      quantity: `${random.int(0, 3)}.${String(random.int(1, 99_999)).padStart(5, '0')}000`,
      isBuyerMaker: random.chance(0.5),
      fillCount: random.chance(0.2) ? random.int(2, 4) : 1,
    })
  }

  #disturb(now: number, elapsedMs: number): void {
    if (this.#endFault !== null) {
      if (now < this.#faultEndsAt) return
      this.#endFault()
      this.#endFault = null
      this.#options.onFaultEnd?.()
    }
    const { faultsPerMinute = 0, onFault, exchange } = this.#options
    if (!this.#chance.chance((faultsPerMinute * elapsedMs) / 60_000)) return
    const name = this.#chance.pick(Object.keys(kinds)) as keyof typeof kinds
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1)
    onFault?.(name)
    this.#endFault = kinds[name](exchange, this.#chance)
    const longestMs = name === outage ? outageMs : faultMs
    this.#faultEndsAt = now + this.#chance.int(longestMs / 5, longestMs)
  }
}

type Fault = (exchange: SimulatedExchange, chance: Random) => (() => void) | null

const outage = 'no network, and REST back last'

/** What a feed has to get over, by name; each gives what ends it, or null where it is over at once. */
const kinds = {
  'connections cut': (exchange) => {
    exchange.dropConnections()
    return null
  },
  'cut in the middle of a frame': (exchange) => {
    exchange.cutInMidFrame()
    return null
  },
  'shutdown announced': (exchange) => {
    exchange.announceShutdown()
    return null
  },
  'all streams silent, pings answered': (exchange) => {
    exchange.fallSilent({ answersPings: true })
    return () => exchange.speakAgain()
  },
  'one stream of trades silent': (exchange, chance) => {
    const stream = `${chance.pick(exchange.symbols).toLowerCase()}@trade`
    exchange.faults.stalled.add(stream)
    return () => exchange.faults.stalled.delete(stream)
  },
  'trades repeated': (exchange, chance) => {
    const symbol = chance.pick(exchange.symbols)
    for (const { id } of exchange.trades(symbol).slice(-5)) exchange.repeat(symbol, id)
    return null
  },
  disorder: (exchange, chance) => {
    exchange.disorder(chance.int(5, 20))
    return null
  },
  'REST refuses with 429': (exchange) => {
    exchange.failRest({ status: 429, retryAfterSeconds: 2 })
    return null
  },
  'REST refuses with 403': (exchange) => {
    exchange.failRest({ status: 403 })
    return null
  },
  'handshake refused with 429': (exchange) => {
    exchange.failHandshake({ status: 429, retryAfterSeconds: 1 })
    return null
  },
  'REST away': (exchange) => {
    exchange.faults.isRestDown = true
    return () => {
      exchange.faults.isRestDown = false
    }
  },
  [outage]: (exchange) => {
    Object.assign(exchange.faults, { refusesConnections: true, isRestDown: true })
    exchange.dropConnections()
    return () => {
      Object.assign(exchange.faults, { refusesConnections: false, isRestDown: false })
      exchange.failRest({ status: 429, retryAfterSeconds: 45 })
    }
  },
  'REST unsorted and slow': (exchange) => {
    Object.assign(exchange.faults, { isRestUnsorted: true, restDelayMs: 200 })
    return () => Object.assign(exchange.faults, { isRestUnsorted: false, restDelayMs: 0 })
  },
  "the exchange's clock steps": (exchange, chance) => {
    exchange.faults.clockStepMs = chance.int(-2_000, 2_000)
    return () => {
      exchange.faults.clockStepMs = 0
    }
  },
} satisfies Record<string, Fault>
