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

/** Which series have rows on each of some days, in the order of the key. Only of a table of few series. */
export async function seriesOfDays(
  client: Pick<pg.ClientBase, 'query'>,
  mirror: LakeMirror,
  ofDays: readonly number[],
): Promise<readonly (readonly string[][])[]> {
  const { lake } = mirror
  const table = quoted(mirror.table)
  const names = lake.key.slice(0, -1)
  const list = listOf(names, series)
  const text = `WITH RECURSIVE ${daysFrom('$1::jsonb')}, ${seriesOf(mirror)}
    SELECT ${days}.n::integer AS n, ARRAY[${names.map((name) => `${series}.${quoted(name)}::text`).join(', ')}] AS key
    FROM ${days} CROSS JOIN ${series} CROSS JOIN LATERAL (SELECT FROM ${table} WHERE ${isOfSeries(mirror)} AND ${isOfDay(mirror)} LIMIT 1) AS found
    ORDER BY ${days}.n, ${list}`
  const { rows } = await client.query<{ n: number; key: string[] }>(text, [daysSetting(ofDays)])
  return ofDays.map((_, n) => rows.filter((row) => row.n === n).map(({ key }) => key))
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
  const rows = isBySeries
    ? `${days} CROSS JOIN ${series} CROSS JOIN LATERAL (SELECT * FROM ${table} WHERE ${isOfSeries(mirror)} AND ${isOfDay(mirror)} OFFSET 0) AS ${table}`
    : `${days} JOIN ${table} ON ${isOfDay(mirror)}`
  return `COPY (
    WITH RECURSIVE ${daysFrom(`current_setting('millrace.days')::jsonb`)}${isBySeries ? `, ${seriesOf(mirror)}` : ''}
    SELECT ${days}.n, ${columns} FROM ${rows} ORDER BY ${days}.n${key === '' ? '' : `, ${key}`}
  ) TO STDOUT (FORMAT binary)`
}

/** @param setting as `daysSetting` gives it */
function daysFrom(setting: string): string {
  return `${days} AS (
    SELECT n, timestamptz 'epoch' + day * interval '24 hours' AS from_time, timestamptz 'epoch' + (day + 1) * interval '24 hours' AS to_time
    FROM jsonb_to_recordset(${setting}) AS given (n bigint, day integer)
  )`
}

function isOfDay({ table, lake }: LakeMirror): string {
  if (lake.day === null) return 'true'
  const time = `${quoted(table)}.${quoted(lake.day)}`
  return `${time} >= ${days}.from_time AND ${time} < ${days}.to_time`
}

function isOfSeries({ table, lake }: LakeMirror): string {
  const names = lake.key.slice(0, -1)
  return names.map((name) => `${quoted(table)}.${quoted(name)} = ${series}.${quoted(name)}`).join(' AND ')
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
