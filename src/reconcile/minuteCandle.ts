import type { Aggregate } from '../backfill/aggregate.ts'
import type { CandleCounts } from '../market/klineEquality.ts'

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
