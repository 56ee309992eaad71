import type pg from 'pg'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'

/** To PostgreSQL NaN is greater than infinity. */
export type NoNumber = 'NaN' | 'Infinity' | '-Infinity'

/** A column as PostgreSQL has it. */
export interface FoundColumn {
  /** As it is written in SQL. */
  readonly type: string
  /** What it may hold that is no number: none of NaN, Infinity and -Infinity, all of them, or NaN alone, as where its digits are limited. */
  readonly noNumbers: readonly NoNumber[]
}

/** The columns of a table, in their order; null where there is no table of that name. */
export type FoundTable = ReadonlyMap<string, FoundColumn> | null

const columns = `
SELECT attname AS name, format_type(atttypid, atttypmod) AS type, 
  CASE WHEN atttypid = 'numeric'::regtype AND atttypmod >= 0 THEN ARRAY['NaN']
    WHEN atttypid IN ('numeric'::regtype, 'float8'::regtype, 'float4'::regtype) THEN ARRAY['NaN', 'Infinity', '-Infinity'] ELSE ARRAY[]::text[] END AS "noNumbers"
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`

/** Looks a table or a view up, in the schema of the session. */
export async function findTable(client: pg.ClientBase, table: string): Promise<FoundTable> {
  const { rows } = await client.query<FoundColumn & { name: string }>(columns, [quoteIdentifier(table)])
  if (rows.length === 0) return null
  return new Map(rows.map(({ name, ...column }) => [name, column]))
}

const uniqueKeys = `
SELECT key.columns FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid CROSS JOIN LATERAL (
  SELECT array_agg(attname::text) AS columns FROM unnest(i.indkey::int2[], i.indcollation::oid[]) WITH ORDINALITY AS k (attnum, collated, place) JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE place <= i.indnkeyatts HAVING bool_and(k.collated = a.attcollation)
) AS key
WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND (t.relkind = 'p' OR NOT t.relhassubclass)`

/** The columns that a table cannot have twice: of each index that sees to it at once and for all rows. Rows with a null among them it may have twice. */
export async function findUniqueKeys(client: pg.ClientBase, table: string): Promise<readonly (readonly string[])[]> {
  const { rows } = await client.query<{ columns: readonly string[] }>(uniqueKeys, [quoteIdentifier(table)])
  return rows.map(({ columns }) => columns)
}
