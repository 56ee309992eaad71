import type pg from 'pg'
import { type KlineColumn, klineColumns } from '../market/klineEquality.ts'

/** Which minute of which symbol. */
export interface MinuteKey {
  readonly market: string
  readonly symbol: string
  /** ms UTC. */
  readonly openTime: number
}

type Columns = Readonly<Record<KlineColumn, string | null>>

/** A minute of ours that is not the exchange's, with all that is known of it. */
export interface OpenDifference {
  readonly symbol: string
  /** ms UTC. */
  readonly openTime: number
  /** What was found out before, or null. */
  readonly verdict: string | null
  readonly refills: number
  /** How long ago it was looked into, ms; null for not yet. */
  readonly lookedMsAgo: number | null
  /** Null where we have no candle. */
  readonly ours: Columns | null
  readonly theirs: Columns
  /** Why a gap is open over it, or null. */
  readonly gap: string | null
  /** Whether the windows of that time are over, so that nothing corrects them. */
  readonly isOver: boolean
  /** How often the symbol's ids have started again. */
  readonly epoch: number
}

/** The symbols of a market with candles, by jumps over the primary key. */
const symbols = `
WITH RECURSIVE found AS (
  (SELECT symbol FROM fact_realtime_trades_1m WHERE market = $1 ORDER BY symbol LIMIT 1)
  UNION ALL
  SELECT (SELECT next.symbol FROM fact_realtime_trades_1m next WHERE next.market = $1 AND next.symbol > found.symbol ORDER BY next.symbol LIMIT 1)
  FROM found WHERE found.symbol IS NOT NULL
)
SELECT symbol FROM found WHERE symbol IS NOT NULL`

/** All symbols of a market that we have minutes of, in order. */
export async function tracedSymbols(client: pg.Client, market: string): Promise<readonly string[]> {
  return (await client.query<{ symbol: string }>(symbols, [market])).rows.map(({ symbol }) => symbol)
}

const newest = `
SELECT (extract(epoch FROM max(newest.open_time)) * 1000)::float8 AS at
FROM unnest($2::text[]) AS one (symbol) CROSS JOIN LATERAL (
  SELECT open_time FROM fact_realtime_trades_1m
  WHERE market = $1 AND fact_realtime_trades_1m.symbol = one.symbol AND interval = '1m' AND is_closed ORDER BY open_time DESC LIMIT 1
) AS newest`

/** Open time of the newest closed minute of these symbols, ms UTC; null where there is none. */
export async function newestMinute(client: pg.Client, market: string, of: readonly string[]): Promise<number | null> {
  return (await client.query<{ at: number | null }>(newest, [market, of])).rows[0]?.at ?? null
}

/** What the exchange was not asked for and did not tell, though we have it, or had the one before and have the one behind. */
const missing = `
SELECT ours.symbol, (extract(epoch FROM min(ours.open_time)) * 1000)::float8 AS first, (extract(epoch FROM max(ours.open_time)) * 1000)::float8 AS last
FROM fact_realtime_trades_1m ours
WHERE ours.market = $1 AND ours.symbol = ANY($2::text[]) AND ours.interval = '1m' AND ours.is_closed
  AND ours.open_time >= to_timestamp($3::float8 / 1000) AND ours.open_time < to_timestamp($4::float8 / 1000)
  AND NOT EXISTS (
    SELECT FROM kline_coverage known
    WHERE known.market = ours.market AND known.symbol = ours.symbol AND known.interval = '1m'
      AND known.from_time <= ours.open_time AND known.to_time > ours.open_time
  )
GROUP BY ours.symbol ORDER BY ours.symbol`

/** Of each symbol with closed minutes in `[from, to)` that no candle of the exchange is known for: the first and the last of them. */
export async function missingKlines(
  client: pg.Client,
  market: string,
  of: readonly string[],
  from: number,
  to: number,
): Promise<readonly { readonly symbol: string; readonly first: number; readonly last: number }[]> {
  const { rows } = await client.query<{ symbol: string; first: number; last: number }>(missing, [market, of, from, to])
  return rows
}

const texts = (table: string) =>
  `jsonb_build_object(${klineColumns.map((name) => `'${name}', ${table}.${name}::text`).join(', ')})`

/** A minute is over once its windows take nothing any more: half a minute behind the watermark of the task that is furthest. */
const differences = `
SELECT known.symbol, (extract(epoch FROM known.open_time) * 1000)::float8 AS "openTime", known.verdict, known.refills,
       (extract(epoch FROM now() - known.checked_at) * 1000)::float8 AS "lookedMsAgo",
       CASE WHEN ours.symbol IS NULL THEN NULL ELSE ${texts('ours')} END AS ours, ${texts('theirs')} AS theirs,
       (SELECT gap.reason FROM feed_gap gap
        WHERE gap.market = known.market AND gap.symbol = known.symbol AND gap.state = 'open'
          AND gap.from_time < known.open_time + interval '1 minute' AND gap.to_time >= known.open_time LIMIT 1) AS gap,
       coalesce((SELECT max(task.watermark) FROM stream_task task WHERE task.pipeline = 'realtime' AND task.topic = $5), 0)
         >= extract(epoch FROM known.open_time) * 1000 + 60000 + $6::float8 AS "isOver",
       coalesce((SELECT max(gap.epoch) + 1 FROM feed_gap gap
                 WHERE gap.market = known.market AND gap.symbol = known.symbol AND gap.state = 'restarted'), 0)::int AS epoch
FROM candle_difference known
JOIN raw_klines theirs USING (market, symbol, interval, open_time)
LEFT JOIN fact_realtime_trades_1m ours USING (market, symbol, interval, open_time)
WHERE known.state = 'open' AND known.market = $1 AND known.symbol = ANY($2::text[]) AND known.interval = '1m'
  AND known.open_time >= to_timestamp($3::float8 / 1000)
ORDER BY known.open_time, known.symbol LIMIT $4`

export interface OpenDifferencesOptions {
  readonly market: string
  readonly symbols: readonly string[]
  /** ms UTC, inclusive. */
  readonly from: number
  /** Whose trades the candles are of. */
  readonly topic: string
  /** How long behind the watermark windows still take trades, ms. */
  readonly allowedLatenessMs: number
  readonly most: number
}

/** The minutes from a time on that differ and that nobody has explained, oldest first. */
export async function openDifferences(
  client: pg.Client,
  { market, symbols: of, from, topic, allowedLatenessMs, most }: OpenDifferencesOptions,
): Promise<readonly OpenDifference[]> {
  const { rows } = await client.query<OpenDifference>(differences, [market, of, from, most, topic, allowedLatenessMs])
  return rows
}

const ofMinute = `market = $1 AND symbol = $2 AND interval = '1m' AND open_time = to_timestamp($3::float8 / 1000) AND state = 'open'`

/** Keeps what was found out about an open difference. */
export async function judged(
  client: pg.Client,
  { market, symbol, openTime }: MinuteKey,
  verdict: string,
  isRefill: boolean,
): Promise<void> {
  await client.query(
    `UPDATE candle_difference SET verdict = $4, checked_at = now(), refills = refills + $5 WHERE ${ofMinute}`,
    [market, symbol, openTime, verdict, isRefill ? 1 : 0],
  )
}

/** Ends an open difference by what was found out about it. */
export async function endExplained(
  client: pg.Client,
  { market, symbol, openTime }: MinuteKey,
  explanation: string,
): Promise<void> {
  await client.query(
    `UPDATE candle_difference SET state = 'explained', explanation = $4, verdict = $4, checked_at = now(), ended_at = now() WHERE ${ofMinute}`,
    [market, symbol, openTime, explanation],
  )
}

/** The open differences of a symbol, all together. Times are ms UTC. */
export interface DifferenceCount {
  readonly market: string
  readonly symbol: string
  readonly count: number
  /** Of the oldest candle. */
  readonly openTime: number
  /** When the first of them was found. */
  readonly foundAt: number
  /** What was found out about the one that was looked at last, or null. */
  readonly verdict: string | null
}

const counts = `
SELECT market, symbol, count(*)::float8 AS count, (extract(epoch FROM min(open_time)) * 1000)::float8 AS "openTime",
       (extract(epoch FROM min(found_at)) * 1000)::float8 AS "foundAt",
       (array_agg(verdict ORDER BY checked_at DESC NULLS LAST))[1] AS verdict
FROM candle_difference WHERE state = 'open' GROUP BY market, symbol ORDER BY min(found_at), symbol`

export async function countDifferences(client: pg.ClientBase): Promise<readonly DifferenceCount[]> {
  return (await client.query<DifferenceCount>(counts)).rows
}
