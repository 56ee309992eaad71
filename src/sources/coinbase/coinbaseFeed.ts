import { type Clock, steadyClock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { requirePlainUrl } from '../http/shownUrl.ts'
import { limitsOfAddress } from '../live/addressLimits.ts'
import { defaultLiveLimits, type LiveLimits } from '../live/liveLimits.ts'
import { parseLivePosition } from '../live/livePosition.ts'
import { LiveReader } from '../live/liveReader.ts'
import { RestClient } from '../live/restClient.ts'
import { emptyShard, partOfShard, type Shard } from '../live/shard.ts'
import type { FrameFeed } from '../market/frameFeed.ts'
import { coinbaseDialect } from './coinbaseDialect.ts'
import { CoinbaseRest } from './coinbaseRest.ts'
import { type CoinbaseEndpoints, coinbaseEndpoints } from './endpoints.ts'

export interface CoinbaseFeedOptions {
  /** Products, such as `BTC-USD`. */
  readonly symbols: readonly string[]
  /** Takes a part of the products; all unless told. */
  readonly shard?: Shard
  /** The exchange's own unless told; without a path. */
  readonly endpoints?: Partial<CoinbaseEndpoints>
  /** True for an exchange that invents its prices; false unless told. Whichever is told, an exchange that says otherwise of itself is refused. */
  readonly isSimulated?: boolean
  readonly limits?: Partial<LiveLimits>
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock?: Clock
  /** Lines for a log: reconnects, gaps, refusals. Trades that are missing are always told. */
  readonly onNotice?: (notice: string) => void
  /** From 0 up to 1; spreads the reconnects of many clients. Default Math.random. */
  readonly jitter?: () => number
}

/** Of one connection; the exchange names no limit, and a socket that carries more would be slow. */
const streamsPerConnection = 400

/**
 * Live trades of Coinbase Exchange, by the same reader as those of Binance: each trade once and in order, gaps filled by REST or told and filled later, quiet by the exchange's heartbeats. Frames
 * are kept as they come; `coinbaseCodec` reads them. Throws `ConfigurationError` on options that cannot work.
 */
export function coinbaseFeed(options: CoinbaseFeedOptions): FrameFeed {
  const {
    symbols,
    shard,
    isSimulated = false,
    clock = steadyClock,
    onNotice = () => undefined,
    jitter = Math.random,
  } = options
  const { streamUrl = coinbaseEndpoints.streamUrl, restUrl = coinbaseEndpoints.restUrl } = options.endpoints ?? {}
  requirePlainUrl('coinbase: streamUrl', streamUrl)
  requirePlainUrl('coinbase: restUrl', restUrl)
  if (symbols.length === 0) throw new ConfigurationError('coinbase: symbols must name at least one product, got none.')
  const odd = symbols.find((symbol) => !/^[A-Z0-9]{1,24}-[A-Z0-9]{1,24}$/.test(symbol))
  if (odd !== undefined) throw new ConfigurationError(`coinbase: a product is written like BTC-USD, got '${odd}'.`)
  const limits = { ...defaultLiveLimits, ...options.limits }
  const address = limitsOfAddress(clock, restUrl, Number.POSITIVE_INFINITY)
  const client = new RestClient({ clock, timeoutMs: limits.restTimeoutMs, limits: address, isSimulated })
  const dialect = coinbaseDialect(streamUrl)
  return {
    name: isSimulated ? 'coinbase simulated' : 'coinbase',
    isSimulated,
    peek: dialect.peek,
    open: async (position, target) => {
      const known = position === null ? null : parseLivePosition(position, 'coinbase')
      const partOf = (all: readonly string[]) => partOfShard(all, shard, target, (symbol) => symbol)
      const own = partOf(symbols)
      if (shard !== undefined && own.length === 0) throw emptyShard('coinbase', shard, symbols, target)
      const reader = new LiveReader(
        {
          ...{ dialect, symbols: own, limits, clock, address, streamsPerConnection, onNotice, jitter },
          ...{ isSimulated, timeUnit: 'ms', partOf },
          rest: new CoinbaseRest({ restUrl, client, clock }),
        },
        known,
      )
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
