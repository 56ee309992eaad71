import type pg from 'pg'

/** A line of an indicator at a candle, as it is stored. */
export interface StoredIndicator {
  readonly market: string
  /** ms UTC. */
  readonly openTime: number
  readonly indicator: string
  readonly line: string
  readonly value: number
  readonly isComplete: boolean
  readonly revision: number
}

const newest = `SELECT market, (extract(epoch FROM open_time) * 1000)::float8 AS "openTime", indicator, line, value,
  is_complete AS "isComplete", revision
FROM indicator WHERE symbol = $1 AND interval = $2 ORDER BY open_time DESC, market, indicator, line LIMIT $3`

/** The newest values of a symbol first; none where the pipeline was never told to make any. */
export async function newestIndicators(
  client: pg.ClientBase,
  symbol: string,
  interval: string,
  limit: number,
): Promise<readonly StoredIndicator[]> {
  const { rows } = await client.query<{ found: boolean }>(`SELECT to_regclass('indicator') IS NOT NULL AS found`)
  if (rows[0]?.found !== true) return []
  return (await client.query<StoredIndicator>(newest, [symbol, interval, limit])).rows
}
