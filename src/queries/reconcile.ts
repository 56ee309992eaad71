import pg from 'pg'
import { type Interval, intervals } from '../market/interval.ts'
import { exactColumns, klineGrain, roundedColumns } from '../market/klineEquality.ts'

/** Which candles are compared; null for all. */
export interface ReconcileRange {
  /** All unless told. */
  readonly market?: string
  readonly symbols: readonly string[] | null
  /** ms UTC, inclusive. */
  readonly from: number | null
  /** ms UTC, exclusive. */
  readonly to: number | null
  /** All unless told. */
  readonly intervals?: readonly Interval[]
}

/** A closed candle of ours that is not as the exchange made it. */
export interface CandleDifference {
  readonly market: string
  readonly symbol: string
  readonly interval: string
  /** ms UTC. */
  readonly openTime: number
  /** By column: ours and theirs. */
  readonly differences: Readonly<Record<string, readonly [string, string]>>
  /** What was found out about it, in words; null where nobody has looked. */
  readonly verdict: string | null
}

/** What a comparison came to. */
export interface Reconciled {
  /** How many candles both have. */
  readonly compared: number
  /** How many differences of before are gone. */
  readonly ended: number
  /** In order of market, symbol, interval and time, a thousand at most. */
  readonly open: readonly CandleDifference[]
  /** How many there are. */
  readonly openCount: number
}

function tableOf(interval: Interval): string {
  return pg.escapeIdentifier(`fact_realtime_trades_${interval}`)
}

const differs = [
  ...exactColumns.map((name) => [name, `ours.${name} <> theirs.${name}`] as const),
  ...roundedColumns.map((name) => [name, `abs(ours.${name} - theirs.${name}) >= ${klineGrain}`] as const),
]

const differences = `jsonb_strip_nulls(jsonb_build_object(${differs
  .map(
    ([name, condition]) =>
      `'${name}', CASE WHEN ${condition} THEN jsonb_build_array(ours.${name}::text, theirs.${name}::text) END`,
  )
  .join(', ')}))`

const inRange = `($2::text[] IS NULL OR theirs.symbol = ANY($2)) AND ($5::text IS NULL OR theirs.market = $5)
  AND ($3::float8 IS NULL OR theirs.open_time >= to_timestamp($3::float8 / 1000))
  AND ($4::float8 IS NULL OR theirs.open_time < to_timestamp($4::float8 / 1000))`

/** Both have it, and are compared in what the exchange tells. Ours counts once it is closed: before that it is not meant to be equal. */
const common = (interval: Interval) => `
SELECT theirs.market, theirs.symbol, theirs.interval, theirs.open_time, ${differences} AS differences
FROM raw_klines theirs JOIN ${tableOf(interval)} ours USING (market, symbol, interval, open_time)
WHERE theirs.interval = $1 AND ours.is_closed AND ${inRange}`

/** Closed candles of ours of the same series. */
const ofSeries = (name: string) =>
  `${name}.market = theirs.market AND ${name}.symbol = theirs.symbol AND ${name}.interval = theirs.interval AND ${name}.is_closed`

/** Between the first and the last candle of ours there should be one for each of theirs in which there were trades, unless it was deleted because of its age. */
const missing = (interval: Interval) => `
SELECT theirs.market, theirs.symbol, theirs.interval, theirs.open_time, '{"candle": ["missing", "trades"]}'::jsonb AS differences
FROM raw_klines theirs
WHERE theirs.interval = $1 AND theirs.volume > 0 AND ${inRange}
  AND theirs.open_time > coalesce((SELECT deleted_until FROM retention WHERE kind = 'candles-${interval}'), '-infinity')
  AND EXISTS (SELECT FROM ${tableOf(interval)} before WHERE ${ofSeries('before')} AND before.open_time < theirs.open_time)
  AND EXISTS (SELECT FROM ${tableOf(interval)} behind WHERE ${ofSeries('behind')} AND behind.open_time > theirs.open_time)
  AND NOT EXISTS (
    SELECT FROM ${tableOf(interval)} ours
    WHERE ours.market = theirs.market AND ours.symbol = theirs.symbol AND ours.interval = theirs.interval AND ours.open_time = theirs.open_time
  )`

/** One that was explained stays so while it is the same difference; another one is open again. */
const record = (interval: Interval) => `
WITH common AS (${common(interval)}),
found AS (SELECT * FROM common WHERE differences <> '{}' UNION ALL ${missing(interval)}),
recorded AS (
  INSERT INTO candle_difference AS known (market, symbol, interval, open_time, state, differences)
  SELECT market, symbol, interval, open_time, 'open', differences FROM found
  ON CONFLICT (market, symbol, interval, open_time) DO UPDATE
  SET state = 'open', differences = excluded.differences, ended_at = NULL, explanation = NULL,
      verdict = CASE WHEN known.state = 'open' THEN known.verdict END, refills = CASE WHEN known.state = 'open' THEN known.refills ELSE 0 END
  WHERE known.state = 'equal' OR known.differences <> excluded.differences
),
ended AS (
  UPDATE candle_difference known SET state = 'equal', ended_at = now(), explanation = NULL
  FROM common
  WHERE common.differences = '{}' AND known.state <> 'equal'
    AND known.market = common.market AND known.symbol = common.symbol AND known.interval = common.interval AND known.open_time = common.open_time
  RETURNING 1
)
SELECT (SELECT count(*)::float8 FROM common) AS compared, (SELECT count(*)::float8 FROM ended) AS ended`

const ofRange = `state = 'open' AND ($1::text[] IS NULL OR symbol = ANY($1)) AND ($4::text IS NULL OR market = $4)
  AND ($2::float8 IS NULL OR open_time >= to_timestamp($2::float8 / 1000)) AND ($3::float8 IS NULL OR open_time < to_timestamp($3::float8 / 1000))`

const mostShown = 1_000

/**
 * Compares closed candles with the exchange's own, in raw_klines, and keeps what differs in candle_difference: a row is open until a later comparison finds it equal, or
 * until it is explained. Reads and writes in one transaction.
 */
export async function reconcile(client: pg.Client, range: ReconcileRange): Promise<Reconciled> {
  const values = [range.symbols, range.from, range.to, range.market ?? null]
  await client.query('BEGIN')
  try {
    let compared = 0
    let ended = 0
    for (const interval of range.intervals ?? intervals) {
      const { rows } = await client.query<{ compared: number; ended: number }>(record(interval), [interval, ...values])
      compared += rows[0]?.compared ?? 0
      ended += rows[0]?.ended ?? 0
    }
    const { rows: open } = await client.query<CandleDifference>(
      `SELECT market, symbol, interval, (extract(epoch FROM open_time) * 1000)::float8 AS "openTime", differences, verdict
       FROM candle_difference WHERE ${ofRange} ORDER BY market, symbol, interval, open_time LIMIT ${mostShown}`,
      values,
    )
    const { rows: counted } = await client.query<{ count: number }>(
      `SELECT count(*)::float8 AS count FROM candle_difference WHERE ${ofRange}`,
      values,
    )
    await client.query('COMMIT')
    return { compared, ended, open, openCount: counted[0]?.count ?? 0 }
  } catch (error) {
    // What went wrong before is what is told; the caller ends the connection.
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** Ends the open differences of a range by saying why they are there. Gives how many. */
export async function explainDifferences(
  client: pg.Client,
  range: ReconcileRange,
  explanation: string,
): Promise<number> {
  const { rowCount } = await client.query(
    `UPDATE candle_difference SET state = 'explained', explanation = $5, ended_at = now() WHERE ${ofRange}`,
    [range.symbols, range.from, range.to, range.market ?? null, explanation],
  )
  return rowCount ?? 0
}

/** A difference as it stands in the table. Times are ms UTC. */
export interface StoredDifference extends CandleDifference {
  readonly state: string
  readonly foundAt: number
  readonly explanation: string | null
}

const newestDifferences = `SELECT market, symbol, interval, (extract(epoch FROM open_time) * 1000)::float8 AS "openTime", differences, state,
  (extract(epoch FROM found_at) * 1000)::float8 AS "foundAt", explanation
FROM candle_difference ORDER BY (state = 'open') DESC, found_at DESC, symbol, interval, open_time DESC LIMIT $1`

/** The open ones first, then the newest. */
export async function readDifferences(
  client: pg.Pool | pg.ClientBase,
  limit: number,
): Promise<readonly StoredDifference[]> {
  return (await client.query<StoredDifference>(newestDifferences, [limit])).rows
}
