import type pg from 'pg'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'

/** A column as PostgreSQL has it. */
export interface FoundColumn {
  /** As it is written in SQL. */
  readonly type: string
  /** Whether it may hold NaN and infinity, which are greater than every bound. */
  readonly isNumber: boolean
}

/** The columns of a table, in their order; null where there is no table of that name. */
export type FoundTable = ReadonlyMap<string, FoundColumn> | null

const columns = `
SELECT attname AS name, format_type(atttypid, atttypmod) AS type, atttypid IN ('numeric'::regtype, 'float8'::regtype, 'float4'::regtype) AS "isNumber"
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`

/** Looks a table or a view up, in the schema of the session. */
export async function findTable(client: pg.ClientBase, table: string): Promise<FoundTable> {
  const { rows } = await client.query<FoundColumn & { name: string }>(columns, [quoteIdentifier(table)])
  if (rows.length === 0) return null
  return new Map(rows.map(({ name, ...column }) => [name, column]))
}
