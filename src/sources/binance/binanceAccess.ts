import { type Clock, steadyClock } from '../../runtime/clock.ts'
import { limitsOfAddress } from '../live/addressLimits.ts'
import { defaultLiveLimits, type LiveLimits } from '../live/liveLimits.ts'
import { RestClient } from '../live/restClient.ts'
import type { Shard } from '../live/shard.ts'
import { type BinanceEndpoints, type BinanceMarket, marketRules, maxStreams, resolveHosts } from './endpoints.ts'
import { RestTrades } from './restTrades.ts'

/** What every feed of the exchange can be told. */
export interface BinanceAccessOptions {
  readonly market: BinanceMarket
  /** Takes a part of the symbols; all unless told. */
  readonly shard?: Shard
  /** Default ms. Futures know ms only. */
  readonly timeUnit?: 'ms' | 'us'
  readonly endpoints?: Partial<BinanceEndpoints>
  /** True for an exchange that invents its prices; false unless told. Whichever is told, an exchange that says otherwise of itself is refused. */
  readonly isSimulated?: boolean
  /** Hosts for market data alone, for where the others are closed; the exchange's own unless told or `endpoints` are. */
  readonly fallback?: Partial<BinanceEndpoints>
  readonly limits?: Partial<LiveLimits>
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock?: Clock
  /** Lines for a log: reconnects, gaps, refusals. Trades that are missing are always told. */
  readonly onNotice?: (notice: string) => void
  /** From 0 up to 1; spreads the reconnects of many clients. Default Math.random. */
  readonly jitter?: () => number
  /** The exchange's limit unless told: more go over several connections. */
  readonly streamsPerConnection?: number
}

/** With what the feeds of one market reach the exchange, and what it allows them. What it has said to this address they share with all others of the process. */
export function binanceAccess(options: BinanceAccessOptions) {
  const {
    market,
    timeUnit = 'ms',
    isSimulated = false,
    clock = steadyClock,
    onNotice = () => undefined,
    jitter = Math.random,
    streamsPerConnection = maxStreams,
  } = options
  const hosts = resolveHosts(market, options.endpoints, options.fallback)
  const limits = { ...defaultLiveLimits, ...options.limits }
  const rules = marketRules[market]
  const address = limitsOfAddress(clock, hosts.rest[0]?.url ?? '', rules.weightPerMinute)
  const client = new RestClient({ clock, timeoutMs: limits.restTimeoutMs, limits: address, isSimulated })
  const rest = new RestTrades({ hosts: hosts.rest, rules, timeUnit, client })
  return { timeUnit, isSimulated, clock, onNotice, jitter, streamsPerConnection, hosts, limits, rules, address, rest }
}
