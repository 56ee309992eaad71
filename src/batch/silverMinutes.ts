import type pg from 'pg'
import type { Candle } from '../market/candle.ts'
import { klineColumns } from '../market/klineEquality.ts'
import type { Market } from '../market/trade.ts'
import { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import type { CopiedRows } from '../sinks/postgres/copiedRows.ts'
import { copyOut } from '../sinks/postgres/copyOut.ts'
import { NumericBytes } from '../sinks/postgres/numericBytes.ts'
import { type Day, inDay } from './day.ts'

/** For the COPY, which takes no parameters itself. */
const setDays = `SELECT set_config('millrace.days', $1, true)`

const minutesText = `COPY (
  SELECT given.n, minute.open_time, ${klineColumns.map((name) => `minute.${name}`).join(', ')}
  FROM jsonb_to_recordset(current_setting('millrace.days')::jsonb) AS given (n bigint, market text, symbol text, day_ms float8)
    CROSS JOIN LATERAL (SELECT * FROM silver_klines_1m AS r WHERE r.market = given.market AND r.symbol = given.symbol AND ${inDay} AND trade_count > 0 OFFSET 0) AS minute
  WHERE NOT EXISTS (
    SELECT FROM blocked_window AS hour
    WHERE hour.market = minute.market AND hour.symbol = minute.symbol AND minute.open_time >= hour.from_time AND minute.open_time < hour.to_time
  )
  ORDER BY given.n, minute.open_time
) TO STDOUT (FORMAT binary)`

/**
 * Asks for the minutes of these days in which something was traded, without those of blocked hours, whose numbers may be none: day by day as they are given, and in order of time.
 */
export async function copyTradedMinutes(client: pg.ClientBase, days: readonly Day[], rows: CopiedRows): Promise<void> {
  const given = JSON.stringify(days.map(({ market, symbol, day }, n) => ({ n, market, symbol, day_ms: day })))
  await client.query(setDays, [given])
  await copyOut(client, minutesText, (message) => rows.add(message))
}

/** The minutes that were copied, one at a time. */
export function* minutesOf(rows: CopiedRows, days: readonly Day[]): Generator<Candle> {
  const row = new BinaryRow()
  const numeric = new NumericBytes()
  while (rows.next(row)) yield minuteOf(row, days, numeric)
}

/** PostgreSQL counts its microseconds from 2000 on. */
const ms2000 = 946_684_800_000

function minuteOf(row: BinaryRow, days: readonly Day[], numeric: NumericBytes): Candle {
  const next = () => {
    row.next()
    return numeric.load(row.bytes, row.start)
  }
  const { market, symbol } = days[row.nextLong()] as Day
  // In the order in which they are asked for.
  return {
    market: market as Market,
    symbol,
    interval: '1m',
    openTime: row.nextLong() / 1_000 + ms2000,
    open: next().fixed8(),
    high: next().fixed8(),
    low: next().fixed8(),
    close: next().fixed8(),
    volume: next().fixed8(),
    quoteVolume: next().fixed16(),
    tradeCount: row.nextLong(),
    takerBuyVolume: next().fixed8(),
    takerBuyQuoteVolume: next().fixed16(),
    // Neither is kept of the longer candles: theirs is made anew, and the exchange tells no ids.
    vwap: 0,
    firstTradeId: 0,
    lastTradeId: 0,
    isClosed: true,
    revision: 1,
  }
}
