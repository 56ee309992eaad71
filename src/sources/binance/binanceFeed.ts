import { type Clock, steadyClock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { FeedTarget } from '../../runtime/feed.ts'
import type { FrameFeed } from '../market/frameFeed.ts'
import { limitsOfAddress } from './addressLimits.ts'
import { type BinanceEndpoints, type BinanceMarket, marketRules, maxStreams, resolveHosts } from './endpoints.ts'
import { defaultLiveLimits, type LiveLimits } from './liveLimits.ts'
import { parseLivePosition } from './livePosition.ts'
import { LiveReader } from './liveReader.ts'
import { RestClient } from './restClient.ts'
import { RestTrades } from './restTrades.ts'
import { partOfShard, type Shard } from './shard.ts'

export interface BinanceFeedOptions {
  readonly market: BinanceMarket
  readonly symbols: readonly string[]
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

/**
 * Live trades of Binance, spot or USD-M futures: on spot without repeats, and without gaps or with gaps that are told, because ids grow by one there and what is missing is
 * fetched by REST before anything behind it goes on; on futures without repeats, and after a lost connection as far back as the newest 1,000 trades.
 *
 * Memory: `maxHeldBytes` of frames, then the sockets are read no further. While a gap is filled every symbol waits, so that time does not pass
 * over the missing trades; after `fillDeadlineMs` it goes on without them, writes that they are missing, and fetches them later. What the exchange refuses is remembered
 * over all that open the feed. Resumes behind the last trade of each symbol, with the gaps that were open. Throws `ConfigurationError` on options that cannot work.
 */
export function binanceFeed(options: BinanceFeedOptions): FrameFeed {
  const {
    market,
    symbols,
    shard,
    timeUnit = 'ms',
    isSimulated = false,
    clock = steadyClock,
    onNotice = () => undefined,
    jitter = Math.random,
    streamsPerConnection = maxStreams,
  } = options
  const hosts = resolveHosts(market, options.endpoints, options.fallback)
  requireSymbols(symbols)
  if (market === 'usdm' && timeUnit === 'us') {
    throw new ConfigurationError(
      "binance: the futures streams tell times in milliseconds only; timeUnit must be 'ms' with market 'usdm'.",
    )
  }
  const limits = { ...defaultLiveLimits, ...options.limits }
  const rules = marketRules[market]
  const address = limitsOfAddress(clock, hosts.rest[0]?.url ?? '', rules.weightPerMinute)
  const client = new RestClient({ clock, timeoutMs: limits.restTimeoutMs, limits: address, isSimulated })
  const rest = new RestTrades({ hosts: hosts.rest, rules, timeUnit, client })
  return {
    name: isSimulated ? 'binance simulated' : `binance ${market}`,
    isSimulated,
    open: async (position, target) => {
      const known = position === null ? null : parseLivePosition(position, market)
      const partOf = (all: readonly string[]) => partOfShard(all, shard, target, (symbol) => symbol)
      const own = partOf(symbols)
      if (shard !== undefined && own.length === 0) throw noSymbols(shard, symbols, target)
      const common = {
        market,
        rules,
        timeUnit,
        hosts,
        limits,
        clock,
        rest,
        address,
        streamsPerConnection,
        isSimulated,
        onNotice,
        jitter,
      }
      const reader = new LiveReader({ ...common, symbols: own, partOf }, known)
      try {
        await reader.start()
        return reader
      } catch (error) {
        await reader.close()
        throw error
      }
    },
  }
}

function noSymbols(
  { number, of }: Shard,
  { length }: readonly string[],
  target: FeedTarget | undefined,
): ConfigurationError {
  return new ConfigurationError(
    `binance: shard ${number} of ${of} has no symbol: ${length} symbols are in ${target?.partitions ?? 0} partitions. Run fewer shards.`,
  )
}

function requireSymbols(symbols: readonly string[]): void {
  if (symbols.length === 0) throw new ConfigurationError('binance: symbols must name at least one symbol, got none.')
  const odd = symbols.find((symbol) => !/^[\p{Lu}\p{Lo}\p{N}_]{1,40}$/u.test(symbol))
  if (odd !== undefined) throw new ConfigurationError(`binance: a symbol is written like BTCUSDT, got '${odd}'.`)
  const twice = symbols.find((symbol, index) => symbols.indexOf(symbol) !== index)
  if (twice !== undefined) throw new ConfigurationError(`binance: symbols names ${twice} twice.`)
}
