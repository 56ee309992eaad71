import type pg from 'pg'
import { Subject } from 'rxjs'
import { formatFixed } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import { intervalMs } from '../market/interval.ts'
import { klineColumns } from '../market/klineEquality.ts'
import { goldCandles, goldIntervals } from '../pipelines/medallion.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import type { BatchWindow } from './batchWindow.ts'
import { type Day, daysGiven, dayValues, inDay } from './day.ts'
import { tradedMinutes } from './silverMinutes.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
/** So many days of a symbol are in memory at once; a day has 1,440 minutes. */
const daysAtOnce = 6

/** The columns that gold keeps of a candle. */
const columns = [...klineColumns, 'vwap'] as const

const list = (prefix: string) => columns.map((name) => `${prefix}${name}`).join(', ')

/** All that there is of these days becomes what is given. */
const replaceText = (table: string) => `
WITH days AS (SELECT * FROM ${daysGiven}),
fresh AS (
  SELECT market, symbol, timestamptz 'epoch' + open_ms * interval '1 millisecond' AS open_time, ${list('')}
  FROM unnest($4::text[], $5::text[], $6::float8[], ${[7, 8, 9, 10, 11, 12].map((n) => `string_to_array($${n}, ',')::numeric[]`).join(', ')}, string_to_array($13, ',')::bigint[], ${[14, 15, 16].map((n) => `string_to_array($${n}, ',')::numeric[]`).join(', ')})
    AS candle (market, symbol, open_ms, ${list('')})
),
known AS (
  SELECT candle.* FROM days CROSS JOIN LATERAL (
    SELECT * FROM ${table} AS r WHERE r.market = days.market AND r.symbol = days.symbol AND ${inDay} OFFSET 0
  ) AS candle
),
changes AS MATERIALIZED (
  SELECT market, symbol, open_time, fresh.open IS NULL AS is_gone, ${list('fresh.')}
  FROM fresh FULL JOIN known USING (market, symbol, open_time)
  WHERE (${list('fresh.')}) IS DISTINCT FROM (${list('known.')})
),
gone AS (
  DELETE FROM ${table} AS known USING changes
  WHERE is_gone AND (known.market, known.symbol, known.open_time) = (changes.market, changes.symbol, changes.open_time)
),
written AS (
  INSERT INTO ${table} (market, symbol, open_time, ${list('')})
  SELECT market, symbol, open_time, ${list('')} FROM changes WHERE NOT is_gone
  ON CONFLICT (market, symbol, open_time) DO UPDATE SET (${list('')}) = ROW (${list('excluded.')})
)
SELECT count(*)::float8 AS changed FROM changes`

const everyDayText = `
SELECT DISTINCT market, symbol, floor(extract(epoch FROM open_time) / 86400)::float8 * ${dayMs} AS day FROM (
  ${['silver_klines_1m', ...goldIntervals.map((interval) => `gold_klines_${interval}`)].map((table) => `SELECT market, symbol, open_time FROM ${table}`).join('\n  UNION ALL ')}
) AS candles ORDER BY 3, 1, 2`

/** Every day of which there is a minute, or a longer candle. */
export async function everyDay(client: pg.ClientBase): Promise<readonly Day[]> {
  return (await client.query<Day>(everyDayText)).rows
}

/**
 * Makes the longer candles of these days anew and gives how many rows are another than before. A candle that a blocked hour is part of is not made: one of the other minutes alone would be
 * wrong without a sign of it. Holds six days of a symbol at a time.
 */
export async function makeGold(client: pg.ClientBase, days: readonly Day[]): Promise<number> {
  let rows = 0
  for (let at = 0; at < days.length; at += daysAtOnce) {
    const some = days.slice(at, at + daysAtOnce)
    const values = dayValues(some)
    const candles = rolledUp(await tradedMinutes(client, some))
    const blocked = await blockedHours(client, some)
    for (const interval of goldIntervals) {
      const made = candles[interval].filter((candle) => !isBlocked(candle, blocked))
      const { rows: counted } = await client.query<{ changed: number }>(
        replaceText(quoteIdentifier(`gold_klines_${interval}`)),
        [...values, ...candleValues(made)],
      )
      rows += counted[0]?.changed ?? 0
    }
  }
  return rows
}

const blockedText = `SELECT market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "from" FROM blocked_window JOIN ${daysGiven} USING (market, symbol)
WHERE from_time >= timestamptz 'epoch' + day_ms * interval '1 millisecond' AND from_time < timestamptz 'epoch' + (day_ms + ${dayMs}) * interval '1 millisecond'`

async function blockedHours(client: pg.ClientBase, days: readonly Day[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<Omit<BatchWindow, 'to'>>(blockedText, dayValues(days))
  return new Set(rows.map(({ market, symbol, from }) => `${market} ${symbol} ${from}`))
}

function isBlocked({ market, symbol, openTime, interval }: Candle, blocked: ReadonlySet<string>): boolean {
  if (blocked.size === 0) return false
  const to = openTime + intervalMs[interval]
  for (let hour = Math.floor(openTime / hourMs) * hourMs; hour < to; hour += hourMs) {
    if (blocked.has(`${market} ${symbol} ${hour}`)) return true
  }
  return false
}

type Gold = Record<(typeof goldIntervals)[number], Candle[]>

/** @param minutes those of each market by themselves */
function rolledUp(minutes: readonly (readonly Candle[])[]): Gold {
  const gold: Gold = { '5m': [], '15m': [], '1h': [], '4h': [], '1d': [] }
  for (const ofMarket of minutes) {
    const silver = new Subject<Candle>()
    const candles = goldCandles(silver)
    for (const interval of goldIntervals) candles[interval].subscribe((candle) => gold[interval].push(candle))
    for (const minute of ofMarket) silver.next(minute)
    silver.complete()
  }
  return gold
}

/** Numbers as one text, which the driver need not look through for what would have to be quoted. */
function candleValues(candles: readonly Candle[]): readonly unknown[] {
  const text8 = (of: (candle: Candle) => number | bigint) =>
    candles.map((candle) => formatFixed(of(candle), 8, 8)).join(',')
  const text16 = (of: (candle: Candle) => bigint) => candles.map((candle) => formatFixed(of(candle), 16, 16)).join(',')
  return [
    candles.map(({ market }) => market),
    candles.map(({ symbol }) => symbol),
    candles.map(({ openTime }) => openTime),
    text8(({ open }) => open),
    text8(({ high }) => high),
    text8(({ low }) => low),
    text8(({ close }) => close),
    text8(({ volume }) => volume),
    text16(({ quoteVolume }) => quoteVolume),
    candles.map(({ tradeCount }) => tradeCount).join(','),
    text8(({ takerBuyVolume }) => takerBuyVolume),
    text16(({ takerBuyQuoteVolume }) => takerBuyQuoteVolume),
    text8(({ vwap }) => vwap),
  ]
}
