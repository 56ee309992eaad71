import type pg from 'pg'

/** By these a schema is known as one of ours, whichever release made it. */
const tables = [
  'migration',
  'stream_task',
  'task_state',
  'dead_letter',
  'archive_object',
  'log_topic',
  'log_partition',
  'log_batch',
]

// Only what the user may read: a database may hold other people's pipelines too.
const migrated = `
SELECT space.nspname AS schema FROM pg_namespace AS space
WHERE has_schema_privilege(space.oid, 'USAGE') AND (
  SELECT count(*) FROM pg_class AS found
  WHERE found.relnamespace = space.oid AND found.relkind IN ('r', 'p') AND found.relname = ANY ($1)
    AND has_table_privilege(found.oid, 'SELECT')) = cardinality($1)
ORDER BY space.nspname`

/** The schemas that hold tables of Millrace and that the user may read, by name. */
export async function migratedSchemas(client: pg.Pool | pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ schema: string }>(migrated, [tables])
  return rows.map(({ schema }) => schema)
}

const newest = 'SELECT max(number) AS number FROM migration'

/** The number of the newest migration of the schema of the connection; 0 for none. */
export async function newestMigration(client: pg.Pool | pg.ClientBase): Promise<number> {
  return (await client.query<{ number: number | null }>(newest)).rows[0]?.number ?? 0
}
