import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import { requirePlainUrl } from '../http/shownUrl.ts'

export type BinanceMarket = 'spot' | 'usdm'

/** The exchange's limit of streams on one connection. */
export const maxStreams = 1_024

/** Where the exchange is reached; tests and mirrors put their own in place. */
export interface BinanceEndpoints {
  /** Base of the combined stream, without a path: `wss://stream.binance.com:9443`. */
  readonly streamUrl: string
  readonly restUrl: string
}

/** What differs between the markets. */
export interface MarketRules {
  readonly endpoints: BinanceEndpoints
  /** Hosts for market data alone, for where the others are closed; they have no trades by id. Null where there are none. */
  readonly fallback: BinanceEndpoints | null
  /** Ids grow by one for each trade, so that a missing id is a missing trade. On futures ids are skipped without loss. */
  readonly hasContiguousIds: boolean
  readonly pingPath: string
  readonly timePath: string
  /** Trades from a known id on; null where this needs a key. */
  readonly tradesFromIdPath: string | null
  /** Aggregates from a known id on. */
  readonly aggTradesPath: string
  /** The newest trades only. */
  readonly recentTradesPath: string
  /** The last 24 hours of a symbol, with the id of its newest trade. */
  readonly dayPath: string
  readonly exchangeInfoPath: string
  /** Whether `dayPath` and `exchangeInfoPath` can be asked of some symbols alone. */
  readonly takesSymbols: boolean
  /** Request weight a minute and address, by the exchange's published limits. */
  readonly weightPerMinute: number
}

export const marketRules: Readonly<Record<BinanceMarket, MarketRules>> = {
  spot: {
    endpoints: { streamUrl: 'wss://stream.binance.com:9443', restUrl: 'https://api.binance.com' },
    fallback: { streamUrl: 'wss://data-stream.binance.vision', restUrl: 'https://data-api.binance.vision' },
    hasContiguousIds: true,
    pingPath: '/api/v3/ping',
    timePath: '/api/v3/time',
    tradesFromIdPath: '/api/v3/historicalTrades',
    aggTradesPath: '/api/v3/aggTrades',
    recentTradesPath: '/api/v3/trades',
    dayPath: '/api/v3/ticker/24hr',
    exchangeInfoPath: '/api/v3/exchangeInfo',
    takesSymbols: true,
    weightPerMinute: 6_000,
  },
  usdm: {
    endpoints: { streamUrl: 'wss://fstream.binance.com', restUrl: 'https://fapi.binance.com' },
    fallback: null,
    hasContiguousIds: false,
    pingPath: '/fapi/v1/ping',
    timePath: '/fapi/v1/time',
    tradesFromIdPath: null,
    aggTradesPath: '/fapi/v1/aggTrades',
    recentTradesPath: '/fapi/v1/trades',
    dayPath: '/fapi/v1/ticker/24hr',
    exchangeInfoPath: '/fapi/v1/exchangeInfo',
    takesSymbols: false,
    weightPerMinute: 2_400,
  },
}

/** A host for REST, and whether it gives trades by their ids. */
export interface RestHost {
  readonly url: string
  readonly hasTradesById: boolean
}

/** The hosts to try, the first one first. */
export interface BinanceHosts {
  readonly streams: readonly string[]
  readonly rest: readonly RestHost[]
}

const streamUrl = z.url({ protocol: /^wss?$/ })
const restUrl = z.url({ protocol: /^https?$/ })

/** The market's own endpoints, or the given ones instead. Throws `ConfigurationError` on what is no URL of its kind. */
export function resolveEndpoints(market: BinanceMarket, given: Partial<BinanceEndpoints> = {}): BinanceEndpoints {
  const { endpoints } = marketRules[market]
  return {
    streamUrl: checked('streamUrl', streamUrl, given.streamUrl ?? endpoints.streamUrl, 'wss:// or ws://'),
    restUrl: checked('restUrl', restUrl, given.restUrl ?? endpoints.restUrl, 'https:// or http://'),
  }
}

/**
 * The market's hosts, those for market data alone behind them, or only the given ones.
 * @param fallback of its own, for tests and mirrors
 */
export function resolveHosts(
  market: BinanceMarket,
  given: Partial<BinanceEndpoints> = {},
  fallback: Partial<BinanceEndpoints> = {},
): BinanceHosts {
  const first = resolveEndpoints(market, given)
  const own = marketRules[market].fallback
  const second = {
    streamUrl: fallback.streamUrl ?? (given.streamUrl === undefined ? own?.streamUrl : undefined),
    restUrl: fallback.restUrl ?? (given.restUrl === undefined ? own?.restUrl : undefined),
  }
  const others = resolveEndpoints(market, {
    ...(second.streamUrl === undefined ? {} : { streamUrl: second.streamUrl }),
    ...(second.restUrl === undefined ? {} : { restUrl: second.restUrl }),
  })
  return {
    streams: [first.streamUrl, ...(second.streamUrl === undefined ? [] : [others.streamUrl])],
    rest: [
      { url: first.restUrl, hasTradesById: true },
      ...(second.restUrl === undefined ? [] : [{ url: others.restUrl, hasTradesById: false }]),
    ],
  }
}

function checked(name: string, schema: z.ZodType<string>, value: string, allowed: string): string {
  if (schema.safeParse(value).success) {
    requirePlainUrl(`binance: ${name}`, value)
    return value.replace(/\/+$/, '')
  }
  throw new ConfigurationError(`binance: ${name} must be a URL that begins with ${allowed}, got '${value}'.`)
}
