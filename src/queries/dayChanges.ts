import type pg from 'pg'
import { symbolPairs } from './symbolPairs.ts'

/** The newest candle of a symbol, and what its price was a day before. Decimals are exact text. */
export interface WatchedSymbol {
  readonly market: string
  readonly symbol: string
  /** ms UTC. */
  readonly openTime: number
  readonly close: string
  /** The open of the first hour that is at most a day older than the newest candle; null where there is none. */
  readonly openBefore: string | null
  /** When that was: of the first candle in it, ms UTC. */
  readonly openBeforeAt: number | null
  /** Volume of those hours, base asset. */
  readonly dayVolume: string | null
  /** How many gaps of its feed are open. */
  readonly openGaps: number
}

/** Symbols of a data set. */
export interface WatchedSymbols {
  /** By name, 500 at most. */
  readonly symbols: readonly WatchedSymbol[]
  /** How many there are of the name that was asked for. */
  readonly total: number
}

const mostSymbols = 500

const newest = `
WITH RECURSIVE ${symbolPairs}, found AS (
  SELECT market, symbol, (count(*) OVER ())::float8 AS total FROM pair
  WHERE position(upper($1::text) IN upper(symbol)) > 0 ORDER BY symbol, market LIMIT ${mostSymbols}
)
SELECT found.market, found.symbol, found.total, (extract(epoch FROM newest.open_time) * 1000)::float8 AS "openTime", newest.close::text AS close,
       first.open::text AS "openBefore", (extract(epoch FROM coalesce(first_minute.open_time, first.open_time)) * 1000)::float8 AS "openBeforeAt",
       day.volume::text AS "dayVolume",
       (SELECT count(*) FROM feed_gap AS gap WHERE gap.market = found.market AND gap.symbol = found.symbol AND gap.state = 'open')::float8 AS "openGaps"
FROM found
CROSS JOIN LATERAL (
  SELECT open_time, close FROM fact_realtime_trades_1m AS candle
  WHERE candle.market = found.market AND candle.symbol = found.symbol AND candle.interval = '1m'
  ORDER BY candle.open_time DESC LIMIT 1
) AS newest
LEFT JOIN LATERAL (
  SELECT open, open_time FROM fact_realtime_trades_1h AS hour
  WHERE hour.market = found.market AND hour.symbol = found.symbol AND hour.interval = '1h' AND hour.open_time > newest.open_time - interval '24 hours'
  ORDER BY hour.open_time LIMIT 1
) AS first ON true
LEFT JOIN LATERAL (
  SELECT open_time FROM fact_realtime_trades_1m AS candle
  WHERE candle.market = found.market AND candle.symbol = found.symbol AND candle.interval = '1m'
    AND candle.open_time >= first.open_time AND candle.open_time < first.open_time + interval '1 hour'
  ORDER BY candle.open_time LIMIT 1
) AS first_minute ON true
LEFT JOIN LATERAL (
  SELECT sum(volume) AS volume FROM fact_realtime_trades_1h AS hour
  WHERE hour.market = found.market AND hour.symbol = found.symbol AND hour.interval = '1h' AND hour.open_time > newest.open_time - interval '24 hours'
) AS day ON true
ORDER BY found.symbol, found.market`

/** The symbols of the data set whose name contains the text, in either case; all for none. */
export async function readWatchedSymbols(client: pg.Pool | pg.ClientBase, find: string): Promise<WatchedSymbols> {
  const { rows } = await client.query<WatchedSymbol & { readonly total: number }>({
    name: 'watched_symbols',
    text: newest,
    values: [find],
  })
  return { symbols: rows.map(({ total: _total, ...symbol }) => symbol), total: rows[0]?.total ?? 0 }
}
