import type pg from 'pg'
import { Subject } from 'rxjs'
import { formatFixed, parseFixed8, toFixed8 } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import { intervalMs } from '../market/interval.ts'
import { klineColumns } from '../market/klineEquality.ts'
import type { Market } from '../market/trade.ts'
import { goldCandles, goldIntervals } from '../pipelines/medallion.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import type { BatchWindow } from './batchWindow.ts'
import type { ChangedDay } from './silver.ts'

const dayMs = 86_400_000
/** So many days of a symbol are in memory at once; a day has 1,440 minutes. */
const daysAtOnce = 16

const days = `unnest($1::text[], $2::text[], $3::float8[]) AS given (market, symbol, day_ms)`
const inDay = `open_time >= timestamptz 'epoch' + day_ms * interval '1 millisecond' AND open_time < timestamptz 'epoch' + (day_ms + ${dayMs}) * interval '1 millisecond'`

const hoursText = `SELECT market, symbol, hour * 3600000 AS "from", (hour + 1) * 3600000 AS "to"
FROM (
  SELECT DISTINCT market, symbol, floor(extract(epoch FROM open_time) / 3600)::float8 AS hour
  FROM silver_klines_1m JOIN ${days} USING (market, symbol) WHERE ${inDay}
) AS hours ORDER BY 1, 2, 3`

/** The columns that gold keeps of a candle. */
const columns = [...klineColumns, 'vwap'] as const

const minutesText = `SELECT market, symbol, (extract(epoch FROM open_time) * 1000)::float8,
  open::text, high::text, low::text, close::text, volume::text, quote_volume::text, trade_count::float8, taker_buy_volume::text, taker_buy_quote_volume::text
FROM silver_klines_1m JOIN ${days} USING (market, symbol)
WHERE ${inDay} AND trade_count > 0
ORDER BY open_time, symbol`

type MinuteRow = readonly [
  market: Market,
  symbol: string,
  openTime: number,
  open: string,
  high: string,
  low: string,
  close: string,
  volume: string,
  quoteVolume: string,
  tradeCount: number,
  takerBuyVolume: string,
  takerBuyQuoteVolume: string,
]

const list = (prefix: string) => columns.map((name) => `${prefix}${name}`).join(', ')

/** All that there is of these days becomes what is given. */
const replaceText = (table: string) => `
WITH days AS (SELECT * FROM ${days}),
fresh AS (
  SELECT market, symbol, timestamptz 'epoch' + open_ms * interval '1 millisecond' AS open_time, ${list('')}
  FROM unnest($4::text[], $5::text[], $6::float8[], $7::numeric[], $8::numeric[], $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::bigint[], $14::numeric[], $15::numeric[], $16::numeric[])
    AS candle (market, symbol, open_ms, ${list('')})
),
gone AS (
  DELETE FROM ${table} AS known USING days
  WHERE known.market = days.market AND known.symbol = days.symbol AND ${inDay.replaceAll('open_time', 'known.open_time')}
    AND NOT EXISTS (SELECT FROM fresh WHERE fresh.market = known.market AND fresh.symbol = known.symbol AND fresh.open_time = known.open_time)
  RETURNING 1
),
written AS (
  INSERT INTO ${table} AS known (market, symbol, open_time, ${list('')})
  SELECT market, symbol, open_time, ${list('')} FROM fresh
  ON CONFLICT (market, symbol, open_time) DO UPDATE SET (${list('')}) = ROW (${list('excluded.')})
  WHERE (${list('known.')}) IS DISTINCT FROM (${list('excluded.')})
  RETURNING 1
)
SELECT ((SELECT count(*) FROM written) + (SELECT count(*) FROM gone))::float8 AS changed`

/** The hours of these days that have minutes. */
export async function hoursOf(client: pg.ClientBase, changed: readonly ChangedDay[]): Promise<readonly BatchWindow[]> {
  if (changed.length === 0) return []
  return (await client.query<BatchWindow>(hoursText, dayValues(changed))).rows
}

/**
 * Makes the longer candles of these days anew and gives how many rows are another than before. A candle that a blocked window is part of is not made: one of the other minutes alone would be
 * wrong without a sign of it. Holds sixteen days of a symbol at a time.
 */
export async function makeGold(
  client: pg.ClientBase,
  changed: readonly ChangedDay[],
  blocked: readonly BatchWindow[],
): Promise<number> {
  let rows = 0
  for (let at = 0; at < changed.length; at += daysAtOnce) {
    const some = changed.slice(at, at + daysAtOnce)
    const minutes = await client.query<MinuteRow[]>({
      text: minutesText,
      values: dayValues(some),
      rowMode: 'array',
    })
    const candles = rolledUp((minutes.rows as unknown as MinuteRow[]).map(minuteOf))
    const mayBeMade = (candle: Candle) => !blocked.some((window) => overlaps(window, candle))
    for (const interval of goldIntervals) {
      const { rows: counted } = await client.query<{ changed: number }>(
        replaceText(quoteIdentifier(`gold_klines_${interval}`)),
        [...dayValues(some), ...candleValues(candles[interval].filter(mayBeMade))],
      )
      rows += counted[0]?.changed ?? 0
    }
  }
  return rows
}

type Gold = Record<(typeof goldIntervals)[number], Candle[]>

/** Symbols of different markets may have one name, so each market is rolled up by itself. */
function rolledUp(minutes: readonly Candle[]): Gold {
  const gold: Gold = { '5m': [], '15m': [], '1h': [], '4h': [], '1d': [] }
  for (const ofMarket of Map.groupBy(minutes, ({ market }) => market).values()) {
    const silver = new Subject<Candle>()
    const candles = goldCandles(silver)
    for (const interval of goldIntervals) candles[interval].subscribe((candle) => gold[interval].push(candle))
    for (const minute of ofMarket) silver.next(minute)
    silver.complete()
  }
  return gold
}

function overlaps({ market, symbol, from, to }: BatchWindow, candle: Candle): boolean {
  return (
    market === candle.market &&
    symbol === candle.symbol &&
    from < candle.openTime + intervalMs[candle.interval] &&
    to > candle.openTime
  )
}

function minuteOf([
  market,
  symbol,
  openTime,
  open,
  high,
  low,
  close,
  volume,
  quoteVolume,
  tradeCount,
  takerBuyVolume,
  takerBuyQuoteVolume,
]: MinuteRow): Candle {
  return {
    market,
    symbol,
    interval: '1m',
    openTime,
    open: fixed8(open),
    high: fixed8(high),
    low: fixed8(low),
    close: fixed8(close),
    volume: fixed8(volume),
    quoteVolume: fixed16(quoteVolume),
    tradeCount,
    takerBuyVolume: fixed8(takerBuyVolume),
    takerBuyQuoteVolume: fixed16(takerBuyQuoteVolume),
    // Neither is kept of the longer candles: theirs is made anew, and the exchange tells no ids.
    vwap: 0,
    firstTradeId: 0,
    lastTradeId: 0,
    isClosed: true,
    revision: 1,
  }
}

/** numeric(38,8) is written with eight places, always. */
function fixed8(text: string): Candle['open'] {
  return parseFixed8(text) ?? toFixed8(BigInt(text.replace('.', '')))
}

function fixed16(text: string): bigint {
  return BigInt(text.replace('.', ''))
}

function candleValues(candles: readonly Candle[]): readonly unknown[] {
  const text8 = (of: (candle: Candle) => number | bigint) => candles.map((candle) => formatFixed(of(candle), 8, 8))
  const text16 = (of: (candle: Candle) => bigint) => candles.map((candle) => formatFixed(of(candle), 16, 16))
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
    candles.map(({ tradeCount }) => tradeCount),
    text8(({ takerBuyVolume }) => takerBuyVolume),
    text16(({ takerBuyQuoteVolume }) => takerBuyQuoteVolume),
    text8(({ vwap }) => vwap),
  ]
}

function dayValues(changed: readonly ChangedDay[]): unknown[] {
  return [changed.map(({ market }) => market), changed.map(({ symbol }) => symbol), changed.map(({ day }) => day)]
}
