import pg from 'pg'
import { ownerColumn } from '../sinks/postgres/ownerColumn.ts'
import { ownTables } from '../sinks/postgres/ownTables.ts'

/** A table that pipelines write, or a view of one. */
export interface ReadableTable {
  readonly name: string
  /** In their order; the owner's column is left out. */
  readonly columns: readonly ReadableColumn[]
  /** The columns of its primary key; none where rows are only added. */
  readonly key: readonly string[]
}

interface ReadableColumn {
  readonly name: string
  /** As PostgreSQL calls it, such as `timestamp with time zone`. */
  readonly type: string
}

/** Exact text, or a value that JSON has a form of its own for. */
export type Cell = string | number | boolean | null

const tablesThatMayBeRead = `
SELECT found.relname AS name,
       (SELECT coalesce(json_agg(json_build_object('name', attribute.attname, 'type', format_type(attribute.atttypid, NULL)) ORDER BY attribute.attnum), '[]')
        FROM pg_attribute AS attribute
        WHERE attribute.attrelid = found.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped AND attribute.attname <> $2) AS columns,
       (SELECT coalesce(json_agg(attribute.attname ORDER BY place.at), '[]')
        FROM pg_index AS index, unnest(index.indkey) WITH ORDINALITY AS place (attnum, at)
        JOIN pg_attribute AS attribute ON attribute.attnum = place.attnum
        WHERE index.indrelid = found.oid AND index.indisprimary AND attribute.attrelid = found.oid) AS key
FROM pg_class AS found
WHERE found.relnamespace = current_schema()::regnamespace AND found.relkind IN ('r', 'p', 'v', 'm') AND NOT found.relispartition
  AND NOT found.relname = ANY ($1) AND has_table_privilege(found.oid, 'SELECT')
ORDER BY found.relname`

/** The tables of the connection's schema that are not for Millrace's own use, by name. */
export async function readableTables(client: pg.ClientBase): Promise<readonly ReadableTable[]> {
  const { rows } = await client.query<ReadableTable>(tablesThatMayBeRead, [ownTables, ownerColumn])
  return rows
}

/** The first rows by key, or in the order in which they were added where there is none; each as its cells, in the order of the columns. */
export async function readRows(
  client: pg.ClientBase,
  table: ReadableTable,
  limit: number,
): Promise<readonly (readonly Cell[])[]> {
  const order = table.key.length > 0 ? `ORDER BY ${table.key.map((name) => pg.escapeIdentifier(name)).join(', ')}` : ''
  const { rows } = await client.query<Cell[]>({
    text: `SELECT ${table.columns.map(asCell).join(', ')} FROM ${pg.escapeIdentifier(table.name)} ${order} LIMIT $1`,
    values: [limit],
    rowMode: 'array',
  })
  return rows
}

export async function hasRows(client: pg.ClientBase, table: ReadableTable): Promise<boolean> {
  const { rows } = await client.query(`SELECT FROM ${pg.escapeIdentifier(table.name)} LIMIT 1`)
  return rows.length > 0
}

export async function countRows(client: pg.ClientBase, table: ReadableTable): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::float8 AS count FROM ${pg.escapeIdentifier(table.name)}`,
  )
  return rows[0]?.count ?? 0
}

function asCell({ name, type }: ReadableColumn): string {
  const column = pg.escapeIdentifier(name)
  if (type === 'integer' || type === 'smallint' || type === 'boolean') return column
  // Infinity has no year.
  if (type === 'timestamp with time zone')
    return `CASE WHEN isfinite(${column}) THEN to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') ELSE ${column}::text END`
  return `${column}::text`
}
