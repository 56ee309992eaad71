import { symbolOfStream } from '../../../market/streams/frameKind.ts'
import type { Feed, FeedTarget } from '../../../runtime/log/feed.ts'
import { partOfShard } from '../../live/shard.ts'
import { type BinanceAccessOptions, binanceAccess } from '../binanceAccess.ts'
import type { OtherKind } from './streamFrame.ts'
import { parseStreamPosition } from './streamPosition.ts'
import { StreamReader } from './streamReader.ts'

export interface BinanceStreamsOptions extends BinanceAccessOptions {
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
  const { market, kind, streams, shard } = options
  const access = binanceAccess(options)
  const { isSimulated } = access
  return {
    name: `binance ${isSimulated ? 'simulated' : market} ${kind}`,
    isSimulated,
    open: async (position, target) => {
      const known = position === null ? null : parseStreamPosition(position, market, kind)
      const partOf = (all: readonly string[]) =>
        partOfShard(all, shard, target, (stream) => symbolOfStream(stream) ?? '')
      const reader = new StreamReader({ ...access, market, kind, target, partOf, streams: partOf(streams) }, known)
      reader.start()
      return reader
    },
  }
}
