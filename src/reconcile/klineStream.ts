import type { Clock } from '../runtime/clock.ts'
import { binanceTalk } from '../sources/binance/binanceDialect.ts'
import type { AddressLimits } from '../sources/live/addressLimits.ts'
import { ConnectionKeeper, defaultKeeperLimits } from '../sources/live/connectionKeeper.ts'
import { closedKlineOf, type ToldKline } from './closedKlines.ts'

export interface KlineStreamOptions {
  readonly symbols: readonly string[]
  /** Bases of the combined stream, the first one first. */
  readonly urls: readonly string[]
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock: Clock
  readonly address: AddressLimits
  /** True where invented prices are what was asked for. */
  readonly isSimulated: boolean
  readonly onNotice: (line: string) => void
}

/** The exchange's limit of streams on one connection. */
const perConnection = 1_024
/** Of more than a minute of all symbols nobody has taken the oldest are left to REST. */
const mostHeld = 100_000

/**
 * The closed minutes of symbols as the exchange's stream tells them, seconds after each ends. What a lost connection does not bring is left to REST. Keeps what nobody has taken, at most 100,000.
 */
export class KlineStream {
  readonly symbols: readonly string[]
  readonly #keepers: readonly ConnectionKeeper[]
  #held: ToldKline[] = []

  constructor({ symbols, urls, clock, address, isSimulated, onNotice }: KlineStreamOptions) {
    this.symbols = symbols
    const keepers: ConnectionKeeper[] = []
    for (let from = 0; from < symbols.length; from += perConnection) {
      keepers.push(
        new ConnectionKeeper({
          urls: urls.map((url) => `${url}/stream`),
          talk: binanceTalk,
          streams: symbols.slice(from, from + perConnection).map((symbol) => `${symbol.toLowerCase()}@kline_1m`),
          clock,
          limits: defaultKeeperLimits,
          address,
          isSimulated,
          onMisfit: onNotice,
          jitter: Math.random,
          onFrame: (frame) => this.#take(frame),
          onGapPossible: () => undefined,
          onNotice,
        }),
      )
    }
    this.#keepers = keepers
    for (const keeper of keepers) keeper.start()
  }

  /** What has come since it was asked last. */
  take(): readonly ToldKline[] {
    return this.#held.splice(0)
  }

  async close(): Promise<void> {
    await Promise.all(this.#keepers.map((keeper) => keeper.close()))
  }

  #take(frame: Buffer): void {
    const told = closedKlineOf(frame)
    if (told === null) return
    this.#held.push(told)
    if (this.#held.length > mostHeld) this.#held.shift()
  }
}
