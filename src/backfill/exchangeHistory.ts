import type { KlineInterval } from '../market/klineInterval.ts'
import type { ToldTrade } from '../sources/live/exchangeDialect.ts'
import type { Aggregate } from './aggregate.ts'
import type { ExchangeApi } from './exchangeApi.ts'
import type { TimeRange } from './klineStore.ts'
import type { RawKline } from './rawKline.ts'

/** Closed candles of the exchange, in order, and the open times that they are all of. */
export interface KlinePage {
  readonly klines: readonly RawKline[]
  readonly range: TimeRange
}

/** Trades of one page, and where the next one begins. */
export interface TradePage {
  /** Oldest first. */
  readonly trades: readonly ToldTrade[]
  /** Null behind the last trade of the range, or the newest one there is. */
  readonly nextId: number | null
}

/** The single trades that an exchange tells of its past. Times are ms UTC. */
export interface TradesHistory {
  /** The id of the first trade at or after a time; null where there is none yet. */
  firstId(symbol: string, from: number): Promise<number | null>
  /** The trades of a range from an id on, up to a thousand. */
  page(symbol: string, fromId: number, range: TimeRange): Promise<TradePage>
  /** The frame that the stream would have brought. */
  frame(symbol: string, trade: ToldTrade): Buffer
}

/**
 * What one market of an exchange tells of its past: all in which a backfill of it, and the comparison with it, differ from those of another. Times are ms UTC. Each throws as `ExchangeApi.get`
 * does, and `ConfigurationError` on a refusal or an answer that is not what the exchange documents.
 */
export interface ExchangeHistory {
  /** How it is asked, for progress. */
  readonly api: ExchangeApi
  /** For messages: `spot`, `coinbase`. */
  readonly name: string
  /** The lengths that its candles have. */
  readonly intervals: readonly KlineInterval[]
  /** `TRADING` or why not, by symbol. Takes to its limits as they are told. */
  listing(): Promise<ReadonlyMap<string, string>>
  /** What time it is there. */
  now(): Promise<number>
  /** The candles of a range, which must be closed by now, a page at a time. */
  klines(symbol: string, interval: KlineInterval, range: TimeRange): AsyncGenerator<KlinePage, void, undefined>
  /** Null where single trades are not told without a key. */
  readonly trades: TradesHistory | null
  /** All trades of `[from, to)` as aggregates, oldest first: a candle of them is exact. Null where there are more than `mostTrades`. */
  aggregates(symbol: string, from: number, to: number): Promise<readonly Aggregate[] | null>
}

/** A minute with more is beyond what a person wants fetched again without being asked. */
export const mostTrades = 100_000

/** The single trades from one id to another, both inclusive, oldest first. */
export async function tradesBetween(
  history: TradesHistory,
  symbol: string,
  firstId: number,
  lastId: number,
): Promise<readonly ToldTrade[]> {
  const trades: ToldTrade[] = []
  let next: number | null = firstId
  while (next !== null && next <= lastId) {
    const page = await history.page(symbol, next, { from: 0, to: Number.POSITIVE_INFINITY })
    trades.push(...page.trades.filter(({ id }) => id <= lastId))
    next = page.nextId
  }
  return trades
}
