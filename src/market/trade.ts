import type { Fixed8 } from '../exact/decimal.ts'
import type { FeedGap } from './feedGap.ts'

/** Which order book a price comes from. `simulated` prices are invented and live in a data set of their own. */
export type Market = 'spot' | 'usdm' | 'coinbase' | 'simulated'

/** One trade as it decides a candle. */
export interface Trade {
  readonly type: 'trade'
  readonly market: Market
  readonly symbol: string
  /** Grows by one per trade and symbol on spot. */
  readonly tradeId: number
  /** Quote asset for one unit of the base asset, in counts of 1e-8. */
  readonly price: Fixed8
  /** Base asset, in counts of 1e-8. */
  readonly quantity: Fixed8
  /** The exchange's `T`, ms UTC, rounded down where the feed gives microseconds. */
  readonly tradeTime: number
  /** True when the buyer's order was resting, so that the taker sold. */
  readonly isBuyerMaker: boolean
  /** True for one that was missing and has been fetched since, behind newer ones: it says nothing about the time now. */
  readonly isFill?: true
  /** How often the ids of the symbol had started again before it; left out while they never have. */
  readonly idEpoch?: number
}

/** Says that time has passed in a quiet partition; written by the ingest, so that windows close by data. */
export interface Heartbeat {
  readonly type: 'heartbeat'
  /** ms UTC. */
  readonly time: number
}

/** What a partition of the log tells of a market: that a trade happened, that time has passed, or that trades are missing. */
export type MarketEvent = Trade | Heartbeat | FeedGap

export function isTrade(event: MarketEvent): event is Trade {
  return event.type === 'trade'
}

export function isGap(event: MarketEvent): event is FeedGap {
  return event.type === 'gap'
}

export function eventTimeOf(event: MarketEvent): number {
  if (event.type === 'trade') return event.tradeTime
  return event.type === 'gap' ? event.fromTime : event.time
}

/** Whether it speaks of the past alone, so that time must not be told by it. */
export function isOfThePast(event: MarketEvent): boolean {
  return event.type === 'gap' || (event.type === 'trade' && event.isFill === true)
}

/** Under which key ids are told apart: ids that start again are others. */
export function idKeyOf({ symbol, idEpoch }: Trade): string {
  return idEpoch === undefined ? symbol : `${symbol} ${idEpoch}`
}
