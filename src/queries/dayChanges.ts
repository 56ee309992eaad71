import type pg from 'pg'
import { type CandleLine, readOpenCandles } from './openCandles.ts'

/** The newest candle of a symbol, and what its price was a day before. */
export interface WatchedSymbol extends CandleLine {
  /** The open of the first hour that is at most a day older than the newest candle, as exact text; null where there is none. */
  readonly openBefore: string | null
  /** When that was, ms UTC. */
  readonly openBeforeAt: number | null
  /** Volume of those hours, base asset, as exact text. */
  readonly dayVolume: string | null
  /** How many gaps of its feed are open. */
  readonly openGaps: number
}

const dayBefore = `
SELECT wanted.market, wanted.symbol, first.open::text AS open, (extract(epoch FROM first.open_time) * 1000)::float8 AS at, day.volume::text AS volume,
       (SELECT count(*) FROM feed_gap AS gap WHERE gap.market = wanted.market AND gap.symbol = wanted.symbol AND gap.state = 'open')::float8 AS gaps
FROM unnest($1::text[], $2::text[], $3::float8[]) AS wanted(market, symbol, at)
LEFT JOIN LATERAL (
  SELECT open, open_time FROM fact_realtime_trades_1h AS hour
  WHERE hour.market = wanted.market AND hour.symbol = wanted.symbol AND hour.interval = '1h'
    AND hour.open_time > to_timestamp(wanted.at / 1000) - interval '24 hours'
  ORDER BY hour.open_time LIMIT 1
) AS first ON true
LEFT JOIN LATERAL (
  SELECT sum(volume) AS volume FROM fact_realtime_trades_1h AS hour
  WHERE hour.market = wanted.market AND hour.symbol = wanted.symbol AND hour.interval = '1h'
    AND hour.open_time > to_timestamp(wanted.at / 1000) - interval '24 hours'
) AS day ON true`

interface DayRow {
  readonly market: string
  readonly symbol: string
  readonly open: string | null
  readonly at: number | null
  readonly volume: string | null
  readonly gaps: number
}

const mostSymbols = 500

/** The symbols of the data set, by name, 500 at most. */
export async function readWatchedSymbols(client: pg.Pool | pg.ClientBase): Promise<readonly WatchedSymbol[]> {
  const candles = (await readOpenCandles(client, null)).slice(0, mostSymbols)
  const { rows } = await client.query<DayRow>(dayBefore, [
    candles.map(({ market }) => market),
    candles.map(({ symbol }) => symbol),
    candles.map(({ openTime }) => openTime),
  ])
  const days = new Map(rows.map((row) => [`${row.market}/${row.symbol}`, row]))
  return candles.map((candle) => {
    const day = days.get(`${candle.market}/${candle.symbol}`)
    return {
      ...candle,
      openBefore: day?.open ?? null,
      openBeforeAt: day?.at ?? null,
      dayVolume: day?.volume ?? null,
      openGaps: day?.gaps ?? 0,
    }
  })
}
