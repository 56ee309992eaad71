import { symbolOfStream } from '../../../market/streams/frameKind.ts'
import { steadyClock } from '../../../runtime/clock.ts'
import type { Feed, FeedTarget } from '../../../runtime/feed.ts'
import { limitsOfAddress } from '../addressLimits.ts'
import type { BinanceFeedOptions } from '../binanceFeed.ts'
import { marketRules, maxStreams, resolveHosts } from '../endpoints.ts'
import { defaultLiveLimits } from '../liveLimits.ts'
import { RestClient } from '../restClient.ts'
import { RestTrades } from '../restTrades.ts'
import { partOfShard } from '../shard.ts'
import type { OtherKind } from './streamFrame.ts'
import { parseStreamPosition } from './streamPosition.ts'
import { StreamReader } from './streamReader.ts'

export interface BinanceStreamsOptions extends Omit<BinanceFeedOptions, 'symbols'> {
  readonly kind: OtherKind
  /** Of this kind: `btcusdt@kline_1m`. May be none. */
  readonly streams: readonly string[]
}

/** A feed of streams whose list can be changed while it is open. */
export interface StreamFeed extends Feed {
  open(position: string | null, target: FeedTarget): Promise<StreamReader>
}

/**
 * One kind of stream of Binance as records of a topic: each frame as it was received, once and in the order of its stream; key the symbol, timestamp the exchange's own time, or that of arrival
 * where it tells none, and a header `received` with the ms UTC at which it was taken.
 *
 * What the exchange sends while nobody listens is gone, but for aggregates of trades: those have ids that grow by one, and what is missing is fetched by REST before anything behind it goes
 * on, for ten minutes at most. Holes in the changes of a book are counted and told.
 *
 * Memory: `maxHeldBytes` of frames, then the sockets are read no further; a mark a stream. Resumes behind the newest frame of each stream. Throws `ConfigurationError` on options that cannot work.
 */
export function binanceStreams(options: BinanceStreamsOptions): StreamFeed {
  const {
    market,
    kind,
    streams,
    shard,
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
  return {
    name: `binance ${isSimulated ? 'simulated' : market} ${kind}`,
    isSimulated,
    open: async (position, target) => {
      const known = position === null ? null : parseStreamPosition(position, market, kind)
      const partOf = (all: readonly string[]) =>
        partOfShard(all, shard, target, (stream) => symbolOfStream(stream) ?? '')
      const reader = new StreamReader(
        {
          ...{ market, kind, rules, timeUnit, hosts, limits, clock, rest, address, target },
          ...{ streamsPerConnection, isSimulated, onNotice, jitter, partOf, streams: partOf(streams) },
        },
        known,
      )
      reader.start()
      return reader
    },
  }
}
