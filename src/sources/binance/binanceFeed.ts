import { ConfigurationError } from '../../runtime/errors.ts'
import { parseLivePosition } from '../live/livePosition.ts'
import { LiveReader } from '../live/liveReader.ts'
import { emptyShard, partOfShard } from '../live/shard.ts'
import type { FrameFeed } from '../market/frameFeed.ts'
import { type BinanceAccessOptions, binanceAccess } from './binanceAccess.ts'
import { binanceDialect } from './binanceDialect.ts'

export interface BinanceFeedOptions extends BinanceAccessOptions {
  readonly symbols: readonly string[]
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
  const { market, symbols, shard } = options
  requireSymbols(symbols)
  if (market === 'usdm' && options.timeUnit === 'us') {
    throw new ConfigurationError(
      "binance: the futures streams tell times in milliseconds only; timeUnit must be 'ms' with market 'usdm'.",
    )
  }
  const access = binanceAccess(options)
  const { hosts, isSimulated, timeUnit } = access
  return {
    name: isSimulated ? 'binance simulated' : `binance ${market}`,
    isSimulated,
    open: async (position, target) => {
      const known = position === null ? null : parseLivePosition(position, market)
      const partOf = (all: readonly string[]) => partOfShard(all, shard, target, (symbol) => symbol)
      const own = partOf(symbols)
      if (shard !== undefined && own.length === 0) throw emptyShard('binance', shard, symbols, target)
      const dialect = binanceDialect(market, hosts.streams, timeUnit)
      const reader = new LiveReader({ ...access, dialect, symbols: own, partOf }, known)
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

function requireSymbols(symbols: readonly string[]): void {
  if (symbols.length === 0) throw new ConfigurationError('binance: symbols must name at least one symbol, got none.')
  const odd = symbols.find((symbol) => !/^[\p{Lu}\p{Lo}\p{N}_]{1,40}$/u.test(symbol))
  if (odd !== undefined) throw new ConfigurationError(`binance: a symbol is written like BTCUSDT, got '${odd}'.`)
  const twice = symbols.find((symbol, index) => symbols.indexOf(symbol) !== index)
  if (twice !== undefined) throw new ConfigurationError(`binance: symbols names ${twice} twice.`)
}
