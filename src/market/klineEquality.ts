/** What a candle tells beside its place and its time, by the columns of its tables and in their order. */
export const klineColumns = [
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quote_volume',
  'trade_count',
  'taker_buy_volume',
  'taker_buy_quote_volume',
] as const

export type KlineColumn = (typeof klineColumns)[number]

/** Sums of money. The exchange tells eight places of them, and ours are exact. */
export const roundedColumns = ['quote_volume', 'taker_buy_quote_volume'] as const

/** All others: here a candle of ours and the exchange's are the same, or are not. */
export const exactColumns = ['open', 'high', 'low', 'close', 'volume', 'trade_count', 'taker_buy_volume'] as const

/** In `roundedColumns` two candles are the same where they differ by less: whether the exchange rounds its sums or cuts them off is its own business. */
export const klineGrain = '0.00000001'

const places = 16
const grain = 10n ** 8n

/** A candle in counts of 1e-16, so that prices, volumes and their products compare exactly. Null is what an exchange does not tell. */
export type CandleCounts = Readonly<Record<KlineColumn, bigint | null>>

/** Of a row, whose columns are decimal text of at most 16 places. */
export function countsOf(row: Readonly<Record<KlineColumn, string | null>>): CandleCounts {
  return Object.fromEntries(klineColumns.map((name) => [name, countOf(row[name])])) as unknown as CandleCounts
}

/** The columns that both tell, and in which they are not the same. */
export function differingColumns(one: CandleCounts, other: CandleCounts): readonly KlineColumn[] {
  const isRounded = (name: KlineColumn) => (roundedColumns as readonly KlineColumn[]).includes(name)
  return klineColumns.filter((name) => {
    const [left, right] = [one[name], other[name]]
    if (left === null || right === null) return false
    const by = left - right
    const distance = by < 0n ? -by : by
    return isRounded(name) ? distance >= grain : distance !== 0n
  })
}

function countOf(text: string | null): bigint | null {
  if (text === null) return null
  const [whole = '', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(places, '0'))
}
