import type pg from 'pg'

/** What is watched of one data set, besides its status. */
export interface MonitorFacts {
  /** The end of the newest closed 1m candle of each market, ms UTC. */
  readonly newestCandles: readonly { readonly market: string; readonly closedAt: number }[]
  /** How many candles differ from the exchange's own, and nobody has explained why. */
  readonly candlesDifferent: number
  readonly alerts: readonly { readonly transition: string; readonly severity: string; readonly count: number }[]
}

// Skips from one symbol to the next through the primary key instead of reading every row.
const newestCandles = `
WITH RECURSIVE pair AS (
  (SELECT market, symbol FROM fact_realtime_trades_1m ORDER BY market, symbol LIMIT 1)
  UNION ALL
  SELECT next.market, next.symbol FROM pair, LATERAL (
    SELECT market, symbol FROM fact_realtime_trades_1m WHERE (market, symbol) > (pair.market, pair.symbol)
    ORDER BY market, symbol LIMIT 1) next
)
SELECT pair.market, (extract(epoch FROM max(newest.open_time)) * 1000 + 60000)::float8 AS "closedAt"
FROM pair, LATERAL (
  SELECT open_time FROM fact_realtime_trades_1m AS candle
  WHERE candle.market = pair.market AND candle.symbol = pair.symbol AND interval = '1m' AND is_closed
  ORDER BY open_time DESC LIMIT 1) newest
GROUP BY pair.market ORDER BY pair.market`

const different = `SELECT count(*)::float8 AS count FROM candle_difference WHERE state = 'open'`

const alerts = `SELECT transition, severity, count(*)::float8 AS count FROM alert_event GROUP BY transition, severity ORDER BY transition, severity`

export async function readMonitorFacts(client: pg.Client): Promise<MonitorFacts> {
  return {
    newestCandles: (await client.query<MonitorFacts['newestCandles'][number]>(newestCandles)).rows,
    candlesDifferent: (await client.query<{ count: number }>(different)).rows[0]?.count ?? 0,
    alerts: (await client.query<MonitorFacts['alerts'][number]>(alerts)).rows,
  }
}
