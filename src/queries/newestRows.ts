import type pg from 'pg'

const statements = {
  quality: 'SELECT to_jsonb(t) AS "row" FROM quality_result AS t ORDER BY checked_at DESC LIMIT $1',
  runs: 'SELECT to_jsonb(t) AS "row" FROM batch_run AS t ORDER BY not_before DESC LIMIT $1',
} as const

/** The newest rows of a table that the console shows as it is. */
export async function newestRows(
  client: pg.Pool | pg.ClientBase,
  name: keyof typeof statements,
  limit: number,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { rows } = await client.query<{ row: Readonly<Record<string, unknown>> }>(statements[name], [limit])
  return rows.map(({ row }) => row)
}
