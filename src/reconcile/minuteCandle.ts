/** The columns in which a candle of ours is compared with the exchange's. */
export const comparedColumns = [
  'open',
  'high',
  'low',
  'close',
  'volume',
  'trade_count',
  'taker_buy_volume',
  'quote_volume',
  'taker_buy_quote_volume',
] as const

type Column = (typeof comparedColumns)[number]

/** A candle in counts of 1e-16, so that prices, volumes and their products compare exactly. */
export type CandleCounts = Readonly<Record<Column, bigint>>

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

const places = 16
const quoteColumns: ReadonlySet<Column> = new Set(['quote_volume', 'taker_buy_quote_volume'])
/** The exchange writes eight places of a quote volume, and ours are exact. */
const quoteGrain = 10n ** 8n

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

/** Of a row, whose columns are decimal text of at most 16 places. */
export function countsOf(row: Readonly<Record<Column, string>>): CandleCounts {
  return Object.fromEntries(comparedColumns.map((name) => [name, countOf(row[name])])) as unknown as CandleCounts
}

/** The columns in which they differ by more than the exchange's rounding. */
export function differingColumns(one: CandleCounts, other: CandleCounts): readonly Column[] {
  return comparedColumns.filter((name) => {
    const by = one[name] - other[name]
    const distance = by < 0n ? -by : by
    return quoteColumns.has(name) ? distance >= quoteGrain : distance !== 0n
  })
}

function countOf(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(places, '0'))
}

function sum(aggregates: readonly Aggregate[], of: (one: Aggregate) => bigint): bigint {
  return aggregates.reduce((total, one) => total + of(one), 0n)
}
