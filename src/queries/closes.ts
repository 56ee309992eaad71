import type pg from 'pg'

/** The close of a 1m candle, as decimal text. */
export interface CloseRow {
  readonly symbol: string
  /** ms UTC. */
  readonly openTime: number
  readonly close: string
}

const closes = `SELECT symbol, (extract(epoch FROM open_time) * 1000)::float8 AS "openTime", close::text AS close
FROM fact_realtime_trades_1m
WHERE market = $1 AND symbol = ANY ($2) AND interval = '1m' AND is_closed
  AND open_time >= to_timestamp($3 / 1000.0) AND open_time < to_timestamp($4 / 1000.0)
ORDER BY open_time, symbol`

/** Closed 1m candles of some symbols, from an open time to before another, ms UTC. */
export async function readCloses(
  client: pg.ClientBase,
  market: string,
  symbols: readonly string[],
  from: number,
  to: number,
): Promise<readonly CloseRow[]> {
  return (await client.query<CloseRow>(closes, [market, symbols, from, to])).rows
}

const leastWatermark = `SELECT min(watermark)::float8 AS watermark FROM stream_task WHERE pipeline = 'realtime' AND next_offset IS NOT NULL AND watermark IS NOT NULL`

/** Up to where all partitions of the realtime pipeline are in event time, ms UTC; null before there is any. */
export async function realtimeWatermark(client: pg.ClientBase): Promise<number | null> {
  return (await client.query<{ watermark: number | null }>(leastWatermark)).rows[0]?.watermark ?? null
}
