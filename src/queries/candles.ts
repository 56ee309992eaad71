import pg from 'pg'
import type { Interval } from '../market/interval.ts'

/** A candle as the database holds it: decimals as exact text. */
export interface StoredCandle {
  readonly market: string
  readonly symbol: string
  readonly interval: string
  /** ms UTC. */
  readonly openTime: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly quoteVolume: string
  readonly tradeCount: number
  readonly takerBuyVolume: string
  readonly vwap: string
  readonly isClosed: boolean
  readonly revision: number
}

export interface CandleRange {
  readonly market: string
  readonly symbol: string
  readonly interval: Interval
  /** ms UTC, inclusive; null for the first candle. */
  readonly from: number | null
  /** ms UTC, exclusive; null for no end. */
  readonly to: number | null
}

const pageRows = 2000

interface Row {
  readonly market: string
  readonly symbol: string
  readonly interval: string
  readonly open_time: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly quote_volume: string
  readonly trade_count: number
  readonly taker_buy_volume: string
  readonly vwap: string
  readonly is_closed: boolean
  readonly revision: number
}

const candleTables: Readonly<Record<Interval, string>> = {
  '1m': pg.escapeIdentifier('fact_realtime_trades_1m'),
  '5m': pg.escapeIdentifier('fact_realtime_trades_5m'),
  '15m': pg.escapeIdentifier('fact_realtime_trades_15m'),
  '1h': pg.escapeIdentifier('fact_realtime_trades_1h'),
  '4h': pg.escapeIdentifier('fact_realtime_trades_4h'),
  '1d': pg.escapeIdentifier('fact_realtime_trades_1d'),
}

const columns = `market, symbol, interval, (extract(epoch FROM open_time) * 1000)::float8 AS open_time,
       open::text, high::text, low::text, close::text, volume::text, quote_volume::text,
       trade_count::float8 AS trade_count, taker_buy_volume::text, vwap::text, is_closed, revision`

const page = (interval: Interval) => `
SELECT ${columns}
FROM ${candleTables[interval]} AS candle
WHERE market = $1 AND symbol = $2 AND interval = $3
  AND ($4::float8 IS NULL OR candle.open_time >= to_timestamp($4::float8 / 1000))
  AND ($5::float8 IS NULL OR candle.open_time < to_timestamp($5::float8 / 1000))
  AND ($6::float8 IS NULL OR candle.open_time > to_timestamp($6::float8 / 1000))
ORDER BY candle.open_time
LIMIT $7`

/**
 * All candles of the range in order of their open time, page by page, as they were at one moment. Holds one page; every page
 * starts behind the last row of the one before, so the length of the range costs nothing.
 */
export async function* readCandles(client: pg.Client, range: CandleRange): AsyncGenerator<readonly StoredCandle[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    let after: number | null = null
    for (;;) {
      const { rows }: pg.QueryResult<Row> = await client.query<Row>({
        name: `candles_${range.interval}`,
        text: page(range.interval),
        values: [range.market, range.symbol, range.interval, range.from, range.to, after, pageRows],
      })
      if (rows.length > 0) yield rows.map(candleOf)
      if (rows.length < pageRows) return
      after = rows.at(-1)?.open_time ?? null
    }
  } finally {
    await client.query('ROLLBACK')
  }
}

const newest = (interval: Interval) => `
SELECT ${columns}
FROM ${candleTables[interval]} AS candle
WHERE market = $1 AND symbol = $2 AND interval = $3
  AND ($4::float8 IS NULL OR candle.open_time >= to_timestamp($4::float8 / 1000))
  AND ($5::float8 IS NULL OR candle.open_time < to_timestamp($5::float8 / 1000))
ORDER BY candle.open_time DESC
LIMIT $6`

/** The newest candles of the range, `limit` at most, in order of their open time. */
export async function readNewestCandles(
  client: pg.Pool | pg.ClientBase,
  { market, symbol, interval, from, to }: CandleRange,
  limit: number,
): Promise<readonly StoredCandle[]> {
  const { rows } = await client.query<Row>({
    name: `newest_${interval}`,
    text: newest(interval),
    values: [market, symbol, interval, from, to, limit],
  })
  return rows.map(candleOf).reverse()
}

/** A sum over closed candles that changes when one of them is corrected, comes or goes. */
export interface ClosedMark {
  readonly candles: number
  readonly revisions: number
  readonly trades: number
}

const closed = (interval: Interval) => `
SELECT count(*)::float8 AS candles, coalesce(sum(revision), 0)::float8 AS revisions, coalesce(sum(trade_count), 0)::float8 AS trades
FROM ${candleTables[interval]}
WHERE market = $1 AND symbol = $2 AND interval = $3 AND is_closed
  AND ($4::float8 IS NULL OR open_time >= to_timestamp($4::float8 / 1000))
  AND ($5::float8 IS NULL OR open_time < to_timestamp($5::float8 / 1000))`

/** Of the closed candles of the range. */
export async function closedMark(
  client: pg.Pool | pg.ClientBase,
  { market, symbol, interval, from, to }: CandleRange,
): Promise<ClosedMark> {
  const { rows } = await client.query<ClosedMark>({
    name: `closed_${interval}`,
    text: closed(interval),
    values: [market, symbol, interval, from, to],
  })
  return rows[0] as ClosedMark
}

function candleOf(row: Row): StoredCandle {
  return {
    market: row.market,
    symbol: row.symbol,
    interval: row.interval,
    openTime: row.open_time,
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    volume: row.volume,
    quoteVolume: row.quote_volume,
    tradeCount: row.trade_count,
    takerBuyVolume: row.taker_buy_volume,
    vwap: row.vwap,
    isClosed: row.is_closed,
    revision: row.revision,
  }
}

/** What there is of one market and symbol at an interval. */
export interface StoredSeries {
  readonly market: string
  readonly symbol: string
}

// Skips from one pair to the next through the primary key instead of reading every row.
const series = (interval: Interval) => `
WITH RECURSIVE pair AS (
  (SELECT market, symbol FROM ${candleTables[interval]} ORDER BY market, symbol LIMIT 1)
  UNION ALL
  SELECT next.market, next.symbol
  FROM pair, LATERAL (
    SELECT market, symbol FROM ${candleTables[interval]}
    WHERE (market, symbol) > (pair.market, pair.symbol)
    ORDER BY market, symbol LIMIT 1
  ) next
)
SELECT market, symbol FROM pair`

/** Whether the schema of the connection was migrated at all: a folder where only the simulator ran holds no real tables. */
export async function hasCandleTables(client: pg.Pool | pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT to_regclass('fact_realtime_trades_1m') IS NOT NULL AS found`,
  )
  return rows[0]?.found === true
}

/** Whether there is a candle of any symbol. */
export async function hasCandles(client: pg.Pool | pg.ClientBase): Promise<boolean> {
  if (!(await hasCandleTables(client))) return false
  const { rows } = await client.query<{ found: boolean }>(
    'SELECT EXISTS (SELECT 1 FROM fact_realtime_trades_1m) AS found',
  )
  return rows[0]?.found === true
}

/** Which markets and symbols have candles of this interval, in this data set. */
export async function readSeries(client: pg.Client, interval: Interval): Promise<readonly StoredSeries[]> {
  const { rows } = await client.query<StoredSeries>(series(interval))
  return rows
}
