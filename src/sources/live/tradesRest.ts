import type { ToldTrade } from './exchangeDialect.ts'
import type { Refused } from './restClient.ts'

/** What REST says of the last 24 hours of a symbol. */
export interface RestDay {
  /** Id of the newest trade; -1 where there was none. */
  readonly lastId: number
  /** Up to when, in the feed's own unit. */
  readonly closeTime: number
}

/** Outcome of a request. A refusal is an answer, not an exception: the caller has a deadline of its own. */
export type RestAnswer = { readonly trades: readonly ToldTrade[] } | Refused

/** Most trades that one request gives. */
export const restPageTrades = 1_000
/** What a live feed asks REST. */
export interface TradesRest {
  /** Up to 1,000 trades from this id on, oldest first. */
  fromId(symbol: string, fromId: number, signal: AbortSignal): Promise<RestAnswer>
  /** The newest trades, oldest first. */
  recent(symbol: string, limit: number, signal: AbortSignal): Promise<RestAnswer>
  /** The newest id of each symbol; one that is left out is not known. */
  days(
    symbols: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly days: ReadonlyMap<string, RestDay> } | Refused>
  /** What the exchange says of each symbol that it lists: `TRADING`, or why not. */
  statuses(
    symbols: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly statuses: ReadonlyMap<string, string> } | Refused>
}
