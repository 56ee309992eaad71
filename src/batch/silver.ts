import type pg from 'pg'
import { exactColumns, klineColumns, klineGrain, roundedColumns } from '../market/klineEquality.ts'
import { type BatchWindow, merged, windowValues } from './batchWindow.ts'

/** A day (UTC) of a symbol whose minutes have changed. */
export interface ChangedDay {
  readonly market: string
  readonly symbol: string
  /** Its midnight, ms UTC. */
  readonly day: number
  /** How many minutes have changed. */
  readonly minutes: number
}

const takeDirtyText = `DELETE FROM dirty_window
RETURNING market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "from", (extract(epoch FROM to_time) * 1000)::float8 AS "to"`

const dirtyWindows = `unnest($1::text[], $2::text[], $3::float8[], $4::float8[]) AS given (market, symbol, from_ms, to_ms)`

const columns = [...klineColumns, 'vwap', 'source'].join(', ')

const isSame = [
  ...exactColumns.map((name) => `ours.${name} = theirs.${name}`),
  ...roundedColumns.map((name) => `abs(ours.${name} - theirs.${name}) < ${klineGrain}`),
].join(' AND ')

/**
 * The merge rule. A minute that only one has is theirs who has it. Where both have it and it is the same, it is ours, which has more places; where not, the exchange's, which is complete.
 * What is the same already is not touched. A minute of an exchange that tells no counts is none for silver.
 */
const mergeText = `
WITH dirty AS (
  SELECT market, symbol, timestamptz 'epoch' + from_ms * interval '1 millisecond' AS from_time, timestamptz 'epoch' + to_ms * interval '1 millisecond' AS to_time FROM ${dirtyWindows}
),
ours AS (
  SELECT minute.* FROM archived_klines_1m AS minute JOIN dirty USING (market, symbol) WHERE minute.open_time >= from_time AND minute.open_time < to_time AND minute.is_closed
),
theirs AS (
  SELECT minute.* FROM raw_klines AS minute JOIN dirty USING (market, symbol)
  WHERE minute.interval = '1m' AND minute.open_time >= from_time AND minute.open_time < to_time AND minute.trade_count IS NOT NULL
),
chosen AS (
  SELECT market, symbol, open_time, ${klineColumns.map((name) => `CASE WHEN is_ours THEN our_${name} ELSE their_${name} END AS ${name}`).join(', ')},
    CASE WHEN is_ours THEN our_vwap ELSE vwap_of(their_quote_volume, their_volume) END AS vwap,
    CASE WHEN is_ours THEN 'trades' ELSE 'exchange' END AS source
  FROM (
    SELECT market, symbol, open_time, ours.vwap AS our_vwap, theirs.open IS NULL OR (ours.open IS NOT NULL AND ${isSame}) AS is_ours,
      ${klineColumns.map((name) => `ours.${name} AS our_${name}, theirs.${name} AS their_${name}`).join(', ')}
    FROM ours FULL JOIN theirs USING (market, symbol, open_time)
  ) AS both_sides
),
written AS (
  INSERT INTO silver_klines_1m AS known (market, symbol, open_time, ${columns})
  SELECT market, symbol, open_time, ${columns} FROM chosen
  ON CONFLICT (market, symbol, open_time) DO UPDATE SET (${columns}) = ROW (${columns
    .split(', ')
    .map((name) => `excluded.${name}`)
    .join(', ')})
  WHERE (${columns
    .split(', ')
    .map((name) => `known.${name}`)
    .join(', ')}) IS DISTINCT FROM (${columns
    .split(', ')
    .map((name) => `excluded.${name}`)
    .join(', ')})
  RETURNING market, symbol, open_time
),
gone AS (
  DELETE FROM silver_klines_1m AS known USING dirty
  WHERE known.market = dirty.market AND known.symbol = dirty.symbol AND known.open_time >= from_time AND known.open_time < to_time
    AND NOT EXISTS (SELECT FROM chosen WHERE chosen.market = known.market AND chosen.symbol = known.symbol AND chosen.open_time = known.open_time)
  RETURNING known.market, known.symbol, known.open_time
)
SELECT market, symbol, floor(extract(epoch FROM open_time) / 86400)::float8 * 86400000 AS day, count(*)::float8 AS minutes
FROM (SELECT * FROM written UNION ALL SELECT * FROM gone) AS changed
GROUP BY 1, 2, 3 ORDER BY 3, 1, 2`

const allDirtyText = `INSERT INTO dirty_window (market, symbol, from_time, to_time)
SELECT market, symbol, min(open_time), max(open_time) + interval '1 minute'
FROM (
  SELECT market, symbol, open_time FROM raw_klines WHERE interval = '1m'
  UNION ALL SELECT market, symbol, open_time FROM archived_klines_1m
  UNION ALL SELECT market, symbol, open_time FROM silver_klines_1m
) AS minutes
GROUP BY market, symbol`

/** Takes the windows that writers have said to have changed, in the transaction of the caller: where it is given up, they are there again. */
export async function takeDirtyWindows(client: pg.ClientBase): Promise<readonly BatchWindow[]> {
  const { rows } = await client.query<BatchWindow>(takeDirtyText)
  return merged(rows)
}

/** Says that every minute has changed. */
export async function dirtyEverything(client: pg.ClientBase): Promise<void> {
  await client.query(allDirtyText)
}

/** Makes silver of what came, in these windows. Gives the days in which something is another than before. */
export async function mergeSilver(
  client: pg.ClientBase,
  windows: readonly BatchWindow[],
): Promise<readonly ChangedDay[]> {
  if (windows.length === 0) return []
  const { rows } = await client.query<ChangedDay>(mergeText, [...windowValues(windows)])
  return rows
}
