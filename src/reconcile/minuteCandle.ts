import type { CandleCounts } from '../market/klineEquality.ts'

/** Trades of one taker order at one price and time, as one: what the exchange calls an aggregate. A single trade is one of itself. */
export interface Aggregate {
  readonly firstId: number
  readonly lastId: number
  /** Counts of 1e-8. */
  readonly price: bigint
  /** Counts of 1e-8. */
  readonly quantity: bigint
  readonly isBuyerMaker: boolean
}

/** The candle of these, oldest first. Exact in every column, the count included: aggregates tell which ids they are of. */
export function candleOf(aggregates: readonly Aggregate[]): CandleCounts {
  const prices = aggregates.map(({ price }) => price)
  const ordered = prices.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const bought = aggregates.filter(({ isBuyerMaker }) => !isBuyerMaker)
  const scale = 10n ** 8n
  return {
    open: (prices[0] ?? 0n) * scale,
    high: (ordered.at(-1) ?? 0n) * scale,
    low: (ordered[0] ?? 0n) * scale,
    close: (prices.at(-1) ?? 0n) * scale,
    volume: sum(aggregates, ({ quantity }) => quantity) * scale,
    trade_count: sum(aggregates, ({ firstId, lastId }) => BigInt(lastId - firstId + 1)) * scale ** 2n,
    taker_buy_volume: sum(bought, ({ quantity }) => quantity) * scale,
    quote_volume: sum(aggregates, ({ price, quantity }) => price * quantity),
    taker_buy_quote_volume: sum(bought, ({ price, quantity }) => price * quantity),
  }
}

function sum(aggregates: readonly Aggregate[], of: (one: Aggregate) => bigint): bigint {
  return aggregates.reduce((total, one) => total + of(one), 0n)
}
