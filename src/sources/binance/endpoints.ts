import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'

export type BinanceMarket = 'spot' | 'usdm'

/** Where the exchange is reached; tests and mirrors put their own in place. */
export interface BinanceEndpoints {
  /** Base of the combined stream, without a path: `wss://stream.binance.com:9443`. */
  readonly streamUrl: string
  readonly restUrl: string
}

/** What differs between the markets. */
export interface MarketRules {
  readonly endpoints: BinanceEndpoints
  /** Ids grow by one for each trade, so that a missing id is a missing trade. On futures ids are skipped without loss. */
  readonly hasContiguousIds: boolean
  readonly pingPath: string
  /** Trades from a known id on; null where this needs a key. */
  readonly tradesFromIdPath: string | null
  /** The newest trades only. */
  readonly recentTradesPath: string
  /** Request weight a minute and address, by the exchange's published limits. */
  readonly weightPerMinute: number
}

export const marketRules: Readonly<Record<BinanceMarket, MarketRules>> = {
  spot: {
    endpoints: { streamUrl: 'wss://stream.binance.com:9443', restUrl: 'https://api.binance.com' },
    hasContiguousIds: true,
    pingPath: '/api/v3/ping',
    tradesFromIdPath: '/api/v3/historicalTrades',
    recentTradesPath: '/api/v3/trades',
    weightPerMinute: 6_000,
  },
  usdm: {
    endpoints: { streamUrl: 'wss://fstream.binance.com', restUrl: 'https://fapi.binance.com' },
    hasContiguousIds: false,
    pingPath: '/fapi/v1/ping',
    tradesFromIdPath: null,
    recentTradesPath: '/fapi/v1/trades',
    weightPerMinute: 2_400,
  },
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

function checked(name: string, schema: z.ZodType<string>, value: string, allowed: string): string {
  if (schema.safeParse(value).success) return value.replace(/\/+$/, '')
  throw new ConfigurationError(`binance: ${name} must be a URL that begins with ${allowed}, got '${value}'.`)
}
