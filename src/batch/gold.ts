import type pg from 'pg'
import { Subject } from 'rxjs'
import { formatFixed } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import { intervalMs } from '../market/interval.ts'
import { klineColumns } from '../market/klineEquality.ts'
import { goldCandles, goldIntervals } from '../pipelines/medallion.ts'
import { collectGarbage } from '../runtime/collectGarbage.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { inTurn } from '../sinks/postgres/inTurn.ts'
import { together } from '../sinks/postgres/withClient.ts'
import type { BatchWindow } from './batchWindow.ts'
import { type Day, daysGiven, dayValues, inDay } from './day.ts'
import { eachTradedMinute } from './silverMinutes.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
/** The candles of so many days of a symbol are in memory at once, and of as many more. */
const daysAtOnce = 12
/** What was made of so many such parts is some thirty megabytes, which nobody needs any more and the collector would leave until there are a hundred. */
const partsToCollect = 2

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
    SELECT r.*, r.ctid AS place FROM ${table} AS r WHERE r.market = days.market AND r.symbol = days.symbol AND ${inDay} OFFSET 0
  ) AS candle
),
changes AS MATERIALIZED (
  SELECT market, symbol, open_time, fresh.open IS NULL AS is_gone, known.open IS NULL AS is_new, known.place, ${list('fresh.')}
  FROM fresh FULL JOIN known USING (market, symbol, open_time)
  WHERE (${list('fresh.')}) IS DISTINCT FROM (${list('known.')})
  ORDER BY market, symbol, open_time
),
gone AS (
  DELETE FROM ${table} WHERE ctid = ANY (ARRAY (SELECT place FROM changes WHERE is_gone))
),
added AS (
  INSERT INTO ${table} (market, symbol, open_time, ${list('')})
  SELECT market, symbol, open_time, ${list('')} FROM changes WHERE is_new
),
corrected AS (
  INSERT INTO ${table} (market, symbol, open_time, ${list('')})
  SELECT market, symbol, open_time, ${list('')} FROM changes WHERE NOT is_new AND NOT is_gone
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
 * wrong without a sign of it. Holds the candles of two dozen days of a symbol.
 */
export async function makeGold(connection: pg.ClientBase, days: readonly Day[]): Promise<number> {
  const client = inTurn(connection)
  const parts = Array.from({ length: Math.ceil(days.length / daysAtOnce) }, (_, i) =>
    days.slice(i * daysAtOnce, (i + 1) * daysAtOnce),
  )
  let rows = 0
  let making = goldOf(client, parts[0] ?? [])
  for (const [i, part] of parts.entries()) {
    const made = await making
    // The next ones are made while the server takes these.
    making = goldOf(client, parts[i + 1] ?? [])
    const [changed] = await together([replaceGold(client, part, made), making])
    rows += changed
    if (i % partsToCollect === partsToCollect - 1) collectGarbage()
  }
  return rows
}

type Gold = Record<(typeof goldIntervals)[number], Candle[]>

/** The longer candles of these days, without those that a blocked hour is part of. */
async function goldOf(client: pg.ClientBase, days: readonly Day[]): Promise<Gold> {
  const rollup = new Rollup()
  if (days.length === 0) return rollup.made
  const [blocked] = await together([
    blockedHours(client, days),
    eachTradedMinute(client, days, (minute) => rollup.add(minute)),
  ])
  rollup.end()
  if (blocked.size === 0) return rollup.made
  for (const interval of goldIntervals)
    rollup.made[interval] = rollup.made[interval].filter((candle) => !isBlocked(candle, blocked))
  return rollup.made
}

/** Makes the longer candles of minutes, those of each market by themselves. Holds what it has made, and the minutes of the candles that are open. */
class Rollup {
  readonly made: Gold = { '5m': [], '15m': [], '1h': [], '4h': [], '1d': [] }
  #market: string | null = null
  #silver = new Subject<Candle>()

  /** @param minute market by market, in order of time */
  add(minute: Candle): void {
    if (minute.market !== this.#market) this.#begin(minute.market)
    this.#silver.next(minute)
  }

  end(): void {
    this.#silver.complete()
  }

  #begin(market: string): void {
    this.end()
    this.#market = market
    this.#silver = new Subject<Candle>()
    const candles = goldCandles(this.#silver)
    for (const interval of goldIntervals) candles[interval].subscribe((candle) => this.made[interval].push(candle))
  }
}

/** Gives how many rows are another than before. */
async function replaceGold(client: pg.ClientBase, days: readonly Day[], candles: Gold): Promise<number> {
  const values = dayValues(days)
  const replaced = goldIntervals.map((interval) => {
    const text = replaceText(quoteIdentifier(`gold_klines_${interval}`))
    return client.query<{ changed: number }>(text, [...values, ...candleValues(candles[interval])])
  })
  const counts = await together(replaced)
  return counts.reduce((sum, { rows }) => sum + (rows[0]?.changed ?? 0), 0)
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
