import type { Fixed8 } from '../exact/decimal.ts'

/** Which order book a price comes from. `simulated` prices are invented and live in a data set of their own. */
export type Market = 'spot' | 'usdm' | 'simulated'

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
}

/** Says that time has passed in a quiet partition; written by the ingest, so that windows close by data. */
export interface Heartbeat {
  readonly type: 'heartbeat'
  /** ms UTC. */
  readonly time: number
}

/** What a partition of the log tells of a market: that a trade happened, or that time has passed. */
export type MarketEvent = Trade | Heartbeat

export function isTrade(event: MarketEvent): event is Trade {
  return event.type === 'trade'
}

export function eventTimeOf(event: MarketEvent): number {
  return event.type === 'trade' ? event.tradeTime : event.time
}
