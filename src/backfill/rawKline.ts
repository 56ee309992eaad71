import { z } from 'zod'
import type { Fixed8 } from '../exact/decimal.ts'
import { fixed8Schema } from '../exact/fixed8Schema.ts'
import type { KlineInterval } from '../market/klineInterval.ts'
import { earliestTradeMs, latestTradeMs } from '../market/timeUnit.ts'
import type { Market } from '../market/trade.ts'

/** Whose candles a backfill is about. */
export interface KlineSeries {
  readonly market: Market
  readonly symbol: string
  readonly interval: KlineInterval
}

/** A closed candle of the exchange, without whose it is. */
export interface RawKline {
  /** ms UTC. */
  readonly openTime: number
  readonly open: Fixed8
  readonly high: Fixed8
  readonly low: Fixed8
  readonly close: Fixed8
  readonly volume: Fixed8
  /** ms UTC, inclusive. */
  readonly closeTime: number
  /** Null, as those that follow, of an exchange that does not tell it. */
  readonly quoteVolume: Fixed8 | null
  readonly tradeCount: number | null
  readonly takerBuyVolume: Fixed8 | null
  readonly takerBuyQuoteVolume: Fixed8 | null
}

const time = z.int().min(earliestTradeMs).max(latestTradeMs)

/** The twelve columns that the exchange gives a candle, by REST and in its archives; the last means nothing. Times in ms. */
const rowSchema = z.tuple([
  time,
  fixed8Schema,
  fixed8Schema,
  fixed8Schema,
  fixed8Schema,
  fixed8Schema,
  time,
  fixed8Schema,
  z.int().min(0),
  fixed8Schema,
  fixed8Schema,
  z.unknown(),
])

/** The candle of a row, or what is wrong with it, in words. */
export function rawKlineOf(row: unknown): RawKline | string {
  const parsed = rowSchema.safeParse(row)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const [column] = issue?.path ?? []
    if (column === undefined) return `a candle has ${columnNames.length} columns`
    const where =
      typeof column === 'number' ? `column ${column + 1} (${columnNames[column] ?? 'beyond the last'})` : 'row'
    return `${where}: ${issue?.message ?? 'is no candle'}`
  }
  const [openTime, open, high, low, close, volume, closeTime, quoteVolume, tradeCount, buyVolume, buyQuote] =
    parsed.data
  if (closeTime < openTime) return `it closes at ${closeTime}, before it opens at ${openTime}`
  return {
    openTime,
    open,
    high,
    low,
    close,
    volume,
    closeTime,
    quoteVolume,
    tradeCount,
    takerBuyVolume: buyVolume,
    takerBuyQuoteVolume: buyQuote,
  }
}

/** The names of the columns, as the archives of futures write them in their first line. */
export const columnNames = [
  'open_time',
  'open',
  'high',
  'low',
  'close',
  'volume',
  'close_time',
  'quote_volume',
  'count',
  'taker_buy_volume',
  'taker_buy_quote_volume',
  'ignore',
] as const
