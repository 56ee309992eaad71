import pg from 'pg'
import type { LakeMirror } from './lakeMirror.ts'
import { decimalOf, type LakeType } from './lakeTable.ts'

/** Each is looked for once a day of the lake. */
const mostSeries = 1_000

const quoted = (name: string) => pg.escapeIdentifier(name)
const listOf = (names: readonly string[], of: string) => names.map((name) => `${of}.${quoted(name)}`).join(', ')
/** No table of anybody is called so. */
const days = quoted('millrace days')
const series = quoted('millrace series')

/** That an index, whole, begins with these columns in their order. */
const indexText = `SELECT FROM pg_index AS i
WHERE indrelid = to_regclass(quote_ident($1)) AND indisvalid AND indpred IS NULL AND (
  SELECT array_agg(attname::text ORDER BY place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE place <= cardinality($2::text[])
) = $2`

/**
 * Whether the rows of a table are of few series that an index finds: of rows that have all of the key in common but the day, such as the candles of a symbol. Its days are then read series by series, and not looked for in
 * all of the table.
 */
export async function hasFewSeries(client: Pick<pg.ClientBase, 'query'>, mirror: LakeMirror): Promise<boolean> {
  const { table, lake } = mirror
  if (lake.day === null || lake.key.length < 2 || lake.key.at(-1) !== lake.day) return false
  if ((await client.query(indexText, [table, lake.key])).rowCount === 0) return false
  const text = `WITH RECURSIVE ${seriesOf(mirror)} SELECT FROM ${series} LIMIT ${mostSeries + 1}`
  return ((await client.query(text)).rowCount ?? 0) <= mostSeries
}

/** For the COPY of some days, which takes no parameters itself. */
export const setDays = `SELECT set_config('millrace.days', $1, true)`

/** For `setDays`: days since 1970, UTC; null in a table that is not cut. */
export function daysSetting(days: readonly (number | null)[]): string {
  return JSON.stringify(days.map((day, n) => ({ n, day: day ?? 0 })))
}

/** The rows of the days that are set, as a binary COPY: the place of the day among them before the columns, day by day and in the order of the key. */
export function daysText(mirror: LakeMirror, isBySeries: boolean): string {
  const { lake } = mirror
  const table = quoted(mirror.table)
  const key = listOf(lake.key, table)
  const columns = lake.columns.map(({ name, type }) => `${table}.${quoted(name)}::${sqlTypeOf(type)}`).join(', ')
  const ofDay = lake.day === null ? null : `${table}.${quoted(lake.day)}`
  const isOfDay = ofDay === null ? 'true' : `${ofDay} >= ${days}.from_time AND ${ofDay} < ${days}.to_time`
  const isOfSeries = lake.key.slice(0, -1).map((name) => `${table}.${quoted(name)} = ${series}.${quoted(name)}`)
  const rows = isBySeries
    ? `${days} CROSS JOIN ${series} CROSS JOIN LATERAL (SELECT * FROM ${table} WHERE ${isOfSeries.join(' AND ')} AND ${isOfDay} OFFSET 0) AS ${table}`
    : `${days} JOIN ${table} ON ${isOfDay}`
  return `COPY (
    WITH RECURSIVE ${days} AS (
      SELECT n, timestamptz 'epoch' + day * interval '24 hours' AS from_time, timestamptz 'epoch' + (day + 1) * interval '24 hours' AS to_time
      FROM jsonb_to_recordset(current_setting('millrace.days')::jsonb) AS given (n bigint, day integer)
    )${isBySeries ? `, ${seriesOf(mirror)}` : ''}
    SELECT ${days}.n, ${columns} FROM ${rows} ORDER BY ${days}.n${key === '' ? '' : `, ${key}`}
  ) TO STDOUT (FORMAT binary)`
}

/** Each series once, found by a step in the index from the one before. */
function seriesOf(mirror: LakeMirror): string {
  const table = quoted(mirror.table)
  const names = mirror.lake.key.slice(0, -1)
  const list = listOf(names, table)
  return `${series} AS (
    (SELECT ${list} FROM ${table} ORDER BY ${list} LIMIT 1)
    UNION ALL
    SELECT next.* FROM ${series} CROSS JOIN LATERAL (SELECT ${list} FROM ${table} WHERE (${list}) > (${listOf(names, series)}) ORDER BY ${list} LIMIT 1) AS next
  )`
}

/** What `ParquetColumn` takes for a type. */
function sqlTypeOf(type: LakeType): string {
  if (decimalOf(type) !== null) return 'numeric'
  return sqlTypes[type as keyof typeof sqlTypes]
}

const sqlTypes = {
  string: 'text',
  boolean: 'boolean',
  int: 'integer',
  long: 'bigint',
  double: 'double precision',
  timestamptz: 'timestamptz',
} as const
