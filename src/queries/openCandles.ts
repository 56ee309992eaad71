import type pg from 'pg'
import { symbolPairs } from './symbolPairs.ts'

/** An open, or the newest, candle of one symbol; decimals as exact text. */
export interface CandleLine {
  readonly market: string
  readonly symbol: string
  /** ms UTC. */
  readonly openTime: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly tradeCount: number
  readonly isClosed: boolean
}

// The newest candle of each symbol, asked for once a second.
const newestCandles = `
WITH RECURSIVE ${symbolPairs}
SELECT newest.*
FROM pair, LATERAL (
  SELECT market, symbol, (extract(epoch FROM open_time) * 1000)::float8 AS open_time,
         open::text, high::text, low::text, close::text, volume::text, trade_count::float8 AS trade_count, is_closed
  FROM fact_realtime_trades_1m AS candle
  WHERE market = pair.market AND symbol = pair.symbol AND interval = '1m'
  ORDER BY candle.open_time DESC LIMIT 1
) newest
WHERE $1::text IS NULL OR newest.market = $1
ORDER BY newest.symbol`

interface Row {
  readonly market: string
  readonly symbol: string
  readonly open_time: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly trade_count: number
  readonly is_closed: boolean
}

/** The newest 1m candle of every symbol of a market (of all markets for null), in the schema of the connection. */
export async function readOpenCandles(
  client: pg.Pool | pg.ClientBase,
  market: string | null,
): Promise<readonly CandleLine[]> {
  const { rows } = await client.query<Row>(newestCandles, [market])
  return rows.map((row) => ({
    market: row.market,
    symbol: row.symbol,
    openTime: row.open_time,
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    volume: row.volume,
    tradeCount: row.trade_count,
    isClosed: row.is_closed,
  }))
}
