import type pg from 'pg'
import { exactColumns, klineColumns, klineGrain, roundedColumns } from '../market/klineEquality.ts'
import { goldIntervals } from '../pipelines/medallion.ts'
import { type BatchWindow, byDay, merged, windowValues } from './batchWindow.ts'

/** So many windows, none longer than a day, are merged by one statement: what it joins and sorts then fits into the memory that a server gives by default. */
const windowsAtOnce = 16

const dirtyColumns = `market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "from", (extract(epoch FROM to_time) * 1000)::float8 AS "to"`

const dirtyWindows = `unnest($1::text[], $2::text[], $3::float8[], $4::float8[]) AS given (market, symbol, from_ms, to_ms)`

const columns = [...klineColumns, 'vwap', 'source'] as const
const list = (prefix = '') => columns.map((name) => `${prefix}${name}`).join(', ')
const key = ['market', 'symbol', 'open_time'].join(', ')

/** As silver has it, so that what is the same there is the same before. */
const stored: Readonly<Record<(typeof klineColumns)[number] | 'vwap', string>> = {
  open: 'numeric(38,8)',
  high: 'numeric(38,8)',
  low: 'numeric(38,8)',
  close: 'numeric(38,8)',
  volume: 'numeric(38,8)',
  quote_volume: 'numeric(38,16)',
  trade_count: 'bigint',
  taker_buy_volume: 'numeric(38,8)',
  taker_buy_quote_volume: 'numeric(38,16)',
  vwap: 'numeric(38,8)',
}

const isSame = [
  ...exactColumns.map((name) => `ours.${name} = theirs.${name}`),
  ...roundedColumns.map((name) => `abs(ours.${name} - theirs.${name}) < ${klineGrain}`),
].join(' AND ')

/** NaN, infinity and what silver has no room for: such a minute of the exchange is missing in silver, which its quality says. A count of trades is a bigint, and cannot be any of it. */
const isNumber = klineColumns
  .filter((name) => name !== 'trade_count')
  .map((name) => `r.${name} > -1e22 AND r.${name} < 1e22`)
  .join(' AND ')

/** The minutes of a table in a dirty window, found by its key whatever the planner takes the window to be. */
const minutesOf = (table: string, condition = 'true') =>
  `(SELECT r.*, r.ctid AS place FROM ${table} AS r
      WHERE r.market = dirty.market AND r.symbol = dirty.symbol AND r.open_time >= from_time AND r.open_time < to_time AND ${condition})`

/**
 * The merge rule. A minute that only one has is theirs who has it. Where both have it and it is the same, it is ours, which has more places; where not, the exchange's, which is complete.
 * What is the same already is not touched. A minute of an exchange that tells no counts is none for silver.
 *
 * Window by window, so that minutes are compared by their time alone, and each level is fenced (`OFFSET 0`), so that what it calculates is calculated once and not wherever it is named.
 * A minute that is new is inserted as what cannot be there, which costs half of what asking for each does. Passes are who write to silver, one at a time.
 */
const mergeText = `
WITH dirty AS (
  SELECT market, symbol, timestamptz 'epoch' + from_ms * interval '1 millisecond' AS from_time, timestamptz 'epoch' + to_ms * interval '1 millisecond' AS to_time FROM ${dirtyWindows}
),
changes AS MATERIALIZED (
  SELECT dirty.market, dirty.symbol, changed.* FROM dirty CROSS JOIN LATERAL (
    SELECT open_time, chosen.source IS NULL AS is_gone, known.source IS NULL AS is_new, known.place, ${list('chosen.')}
    FROM (
      SELECT open_time, ${klineColumns.map((name) => `(CASE WHEN is_ours THEN our_${name} ELSE their_${name} END)::${stored[name]} AS ${name}`).join(', ')},
        (CASE WHEN is_ours THEN our_vwap ELSE vwap_of(their_quote_volume, their_volume) END)::${stored.vwap} AS vwap,
        CASE WHEN is_ours THEN 'trades' ELSE 'exchange' END AS source
      FROM (
        SELECT open_time, ours.vwap AS our_vwap, theirs.open IS NULL OR (ours.open IS NOT NULL AND ${isSame}) AS is_ours,
          ${klineColumns.map((name) => `ours.${name} AS our_${name}, theirs.${name} AS their_${name}`).join(', ')}
        FROM ${minutesOf('archived_klines_1m', 'r.is_closed')} AS ours
        FULL JOIN ${minutesOf('raw_klines', `r.interval = '1m' AND r.trade_count IS NOT NULL AND ${isNumber}`)} AS theirs USING (open_time)
        OFFSET 0
      ) AS both_sides
      OFFSET 0
    ) AS chosen
    FULL JOIN ${minutesOf('silver_klines_1m')} AS known USING (open_time)
    WHERE (${list('chosen.')}) IS DISTINCT FROM (${list('known.')})
    OFFSET 0
  ) AS changed
),
added AS (
  INSERT INTO silver_klines_1m (${key}, ${list()}) SELECT ${key}, ${list()} FROM changes WHERE is_new
),
corrected AS (
  INSERT INTO silver_klines_1m (${key}, ${list()})
  SELECT ${key}, ${list()} FROM changes WHERE NOT is_new AND NOT is_gone
  ON CONFLICT (${key}) DO UPDATE SET (${list()}) = ROW (${list('excluded.')})
),
gone AS (
  DELETE FROM silver_klines_1m WHERE ctid = ANY (ARRAY (SELECT place FROM changes WHERE is_gone))
)
SELECT market, symbol, extract(epoch FROM hour)::float8 * 1000 AS "from", extract(epoch FROM hour)::float8 * 1000 + 3600000 AS "to", minutes
FROM (SELECT market, symbol, date_bin('1 hour', open_time, timestamptz 'epoch') AS hour, count(*)::float8 AS minutes FROM changes GROUP BY 1, 2, 3) AS hours`

const allDirtyText = `INSERT INTO dirty_window (market, symbol, from_time, to_time)
SELECT market, symbol, min(open_time), max(open_time) + interval '1 minute'
FROM (
  SELECT market, symbol, open_time FROM raw_klines WHERE interval = '1m'
  UNION ALL SELECT market, symbol, open_time FROM archived_klines_1m
  ${['silver_klines_1m', ...goldIntervals.map((interval) => `gold_klines_${interval}`)].map((table) => `UNION ALL SELECT market, symbol, open_time FROM ${table}`).join('\n  ')}
) AS candles
GROUP BY market, symbol`

/** An hour (UTC) of a symbol whose minutes have changed. */
export interface ChangedHour extends BatchWindow {
  /** How many of them. */
  readonly minutes: number
}

/** Takes the windows that writers have said to have changed, in the transaction of the caller: where it is given up, they are there again. */
export async function takeDirtyWindows(client: pg.ClientBase): Promise<readonly BatchWindow[]> {
  return merged((await client.query<BatchWindow>(`DELETE FROM dirty_window RETURNING ${dirtyColumns}`)).rows)
}

/** Those that were said since they were taken; they stay. */
export async function readDirtyWindows(client: pg.ClientBase): Promise<readonly BatchWindow[]> {
  return merged((await client.query<BatchWindow>(`SELECT ${dirtyColumns} FROM dirty_window`)).rows)
}

/** Says that every minute has changed, and every longer candle. */
export async function dirtyEverything(client: pg.ClientBase): Promise<void> {
  await client.query(allDirtyText)
}

/** Makes silver of what came, in these windows. Gives the hours in which something is another than before. */
export async function mergeSilver(
  client: pg.ClientBase,
  windows: readonly BatchWindow[],
): Promise<readonly ChangedHour[]> {
  const days = byDay(windows)
  const changed: ChangedHour[] = []
  for (let at = 0; at < days.length; at += windowsAtOnce) {
    const some = days.slice(at, at + windowsAtOnce)
    changed.push(...(await client.query<ChangedHour>(mergeText, [...windowValues(some)])).rows)
  }
  return changed
}
