import type pg from 'pg'

/** Tables that the console shows as they are, where they are there, and what their newest rows are by. */
const tables = {
  alerts: { table: 'alert_event', newest: 'at' },
  quality: { table: 'quality_result', newest: 'checked_at' },
  runs: { table: 'batch_run', newest: 'not_before' },
} as const

export type LaterTable = keyof typeof tables

const statements: Readonly<Record<LaterTable, string>> = {
  alerts: `SELECT to_jsonb(t) AS "row" FROM ${tables.alerts.table} AS t ORDER BY ${tables.alerts.newest} DESC LIMIT $1`,
  quality: `SELECT to_jsonb(t) AS "row" FROM ${tables.quality.table} AS t ORDER BY ${tables.quality.newest} DESC LIMIT $1`,
  runs: `SELECT to_jsonb(t) AS "row" FROM ${tables.runs.table} AS t ORDER BY ${tables.runs.newest} DESC LIMIT $1`,
}

const isThere = `SELECT count(*) = 1 AS found FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND column_name = $2`

/** The newest rows of a table; null where this data set has none of the kind. */
export async function newestRows(
  client: pg.Pool | pg.ClientBase,
  name: LaterTable,
  limit: number,
): Promise<readonly Readonly<Record<string, unknown>>[] | null> {
  const { table, newest } = tables[name]
  const { rows: found } = await client.query<{ found: boolean }>(isThere, [table, newest])
  if (found[0]?.found !== true) return null
  const { rows } = await client.query<{ row: Readonly<Record<string, unknown>> }>(statements[name], [limit])
  return rows.map(({ row }) => row)
}
