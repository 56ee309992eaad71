import type pg from 'pg'

export interface CandleRow {
  readonly symbol: string
  /** ms UTC. */
  readonly openTime: number
  readonly open?: string
  readonly high?: string
  readonly low?: string
  readonly close: string
  readonly volume?: string
  readonly trades?: number
  readonly isClosed?: boolean
  readonly revision?: number
  readonly market?: string
}

const upsert = `INSERT INTO fact_realtime_trades_1m
  (market, symbol, interval, open_time, open, high, low, close, volume, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume,
   vwap, first_trade_id, last_trade_id, is_closed, revision)
SELECT market, symbol, '1m', to_timestamp(at / 1000), open, high, low, close, volume, close * volume, trades, 0, 0, close, 1, trades, closed, revision
FROM unnest($1::text[], $2::text[], $3::float8[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[], $9::bigint[], $10::boolean[], $11::int[])
  AS given(market, symbol, at, open, high, low, close, volume, trades, closed, revision)
ON CONFLICT (market, symbol, interval, open_time) DO UPDATE SET high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close, volume = EXCLUDED.volume,
  quote_volume = EXCLUDED.quote_volume, trade_count = EXCLUDED.trade_count, is_closed = EXCLUDED.is_closed, revision = EXCLUDED.revision`

const commit = `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at, next_offset, watermark, committed_at)
VALUES ('realtime', 'trades', 0, 1, 'test:1', now(), 1, $1::float8, clock_timestamp())
ON CONFLICT (pipeline, topic, partition) DO UPDATE SET next_offset = stream_task.next_offset + 1, watermark = EXCLUDED.watermark, committed_at = clock_timestamp()`

/** Writes 1m candles and moves the checkpoint, as a commit of the pipeline does. */
export async function commitCandles(pool: pg.Pool, rows: readonly CandleRow[]): Promise<void> {
  const column = <T>(of: (row: CandleRow) => T): T[] => rows.map(of)
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(upsert, [
      column(({ market }) => market ?? 'spot'),
      column(({ symbol }) => symbol),
      column(({ openTime }) => openTime),
      column(({ open, close }) => open ?? close),
      column(({ high, close }) => high ?? close),
      column(({ low, close }) => low ?? close),
      column(({ close }) => close),
      column(({ volume }) => volume ?? '1'),
      column(({ trades }) => trades ?? 10),
      column(({ isClosed }) => isClosed ?? true),
      column(({ revision }) => revision ?? 1),
    ])
    await client.query(commit, [Math.max(...column(({ openTime }) => openTime))])
    await client.query('COMMIT')
  } finally {
    client.release()
  }
}
