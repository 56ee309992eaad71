import { type Clock, systemClock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { FrameFeed } from '../market/frameFeed.ts'
import { type BinanceEndpoints, type BinanceMarket, marketRules, resolveEndpoints } from './endpoints.ts'
import { defaultLiveLimits, type LiveLimits } from './liveLimits.ts'
import { parseLivePosition } from './livePosition.ts'
import { LiveReader } from './liveReader.ts'

export interface BinanceFeedOptions {
  readonly market: BinanceMarket
  readonly symbols: readonly string[]
  /** Default ms. Futures know ms only. */
  readonly timeUnit?: 'ms' | 'us'
  readonly endpoints?: Partial<BinanceEndpoints>
  readonly limits?: Partial<LiveLimits>
  readonly clock?: Clock
  /** Lines for a log: reconnects, gaps, refusals. Trades that are missing for good are always told. */
  readonly onNotice?: (notice: string) => void
  /** From 0 up to 1; spreads the reconnects of many clients. Default Math.random. */
  readonly jitter?: () => number
}

/** The exchange's limit of streams on one connection. */
const maxStreams = 1_024

/**
 * Live trades of Binance, spot or USD-M futures: on spot without gaps and repeats, because ids grow by one there and what is missing is fetched
 * by REST before anything behind it goes on; on futures without repeats, and after a lost connection as far back as the newest 1,000 trades.
 *
 * Memory: `maxHeldBytes` of frames, then the socket is read no further. While a gap is filled every symbol waits, so that time does not pass
 * over the missing trades; after `fillDeadlineMs` it goes on without them and says so. Resumes behind the last trade of each
 * symbol, where the gap since then is at most `maxFillTrades`. Throws `ConfigurationError` on options that cannot work.
 */
export function binanceFeed(options: BinanceFeedOptions): FrameFeed {
  const {
    market,
    symbols,
    timeUnit = 'ms',
    clock = systemClock,
    onNotice = () => undefined,
    jitter = Math.random,
  } = options
  const endpoints = resolveEndpoints(market, options.endpoints)
  requireSymbols(symbols)
  if (market === 'usdm' && timeUnit === 'us') {
    throw new ConfigurationError(
      "binance: the futures streams tell times in milliseconds only; timeUnit must be 'ms' with market 'usdm'.",
    )
  }
  const limits = { ...defaultLiveLimits, ...options.limits }
  const rules = marketRules[market]
  return {
    name: `binance ${market}`,
    open: async (position) => {
      const lastIds = position === null ? new Map<string, number>() : parseLivePosition(position, market)
      return new LiveReader({ market, rules, symbols, timeUnit, endpoints, limits, clock, onNotice, jitter }, lastIds)
    },
  }
}

function requireSymbols(symbols: readonly string[]): void {
  if (symbols.length === 0) throw new ConfigurationError('binance: symbols must name at least one symbol, got none.')
  if (symbols.length > maxStreams) {
    throw new ConfigurationError(
      `binance: one connection carries ${maxStreams} streams, got ${symbols.length} symbols. Share them out over several ingests, each with a producer of its own.`,
    )
  }
  const odd = symbols.find((symbol) => !/^[\p{Lu}\p{Lo}\p{N}_]{1,40}$/u.test(symbol))
  if (odd !== undefined) throw new ConfigurationError(`binance: a symbol is written like BTCUSDT, got '${odd}'.`)
}
