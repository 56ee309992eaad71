import type pg from 'pg'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import type { BackedSchema, BackedTable } from './backupManifest.ts'

type Shape = Pick<BackedSchema, 'sequences' | 'views' | 'leftOut'> & {
  readonly tables: readonly Omit<BackedTable, 'rowCount' | 'pieces'>[]
}

const here = 'relnamespace = to_regnamespace(quote_ident(current_schema()))'

// Not what an extension brought: it comes with the extension.
const tables = `
SELECT c.relname AS name, coalesce(array_to_string(c.reloptions, ', '), '') AS storage,
  (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'isNeeded', a.attnotnull,
      'byDefault', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
      'generatedAs', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
      'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END) ORDER BY a.attnum), '[]')
   FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
  (SELECT coalesce(json_agg(json_build_object('name', conname, 'sql', pg_get_constraintdef(oid)) ORDER BY contype DESC, conname), '[]')
   FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'u', 'c', 'x')) AS constraints,
  (SELECT coalesce(json_agg(json_build_object('name', conname, 'sql', pg_get_constraintdef(oid)) ORDER BY conname), '[]')
   FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f') AS "foreignKeys",
  (SELECT coalesce(json_agg(json_build_object('name', i.relname, 'sql', pg_get_indexdef(i.oid)) ORDER BY i.relname), '[]')
   FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
   WHERE x.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = x.indexrelid AND conrelid = c.oid)) AS indexes,
  (SELECT coalesce(json_agg(json_build_object('name', tgname, 'sql', pg_get_triggerdef(oid)) ORDER BY tgname), '[]')
   FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers,
  (SELECT coalesce(json_agg(DISTINCT f.relname), '[]')
   FROM pg_constraint AS k JOIN pg_class AS f ON f.oid = k.confrelid
   WHERE k.conrelid = c.oid AND k.contype = 'f' AND f.oid <> c.oid AND f.relnamespace = c.relnamespace) AS after,
  has_table_privilege(c.oid, 'SELECT') AS "mayRead"
FROM pg_class AS c
WHERE c.${here} AND c.relkind = 'r' AND c.relpersistence <> 't' AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY c.relname`

const sequences = `
SELECT c.relname AS name FROM pg_class AS c WHERE c.${here} AND c.relkind = 'S'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') ORDER BY 1`

// In the order in which they were made: one may be made of another.
const views = `
SELECT c.relname AS name, pg_get_viewdef(c.oid) AS sql FROM pg_class AS c WHERE c.${here} AND c.relkind = 'v'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') ORDER BY c.oid`

const others = `
SELECT CASE c.relkind WHEN 'p' THEN 'partitioned table' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' END || ' ' || c.relname AS what
FROM pg_class AS c WHERE c.${here} AND c.relkind IN ('p', 'm', 'f')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') ORDER BY 1`

/** What the schema of the connection consists of. Reads the catalogue of the database, and no row. */
export async function schemaShape(client: pg.ClientBase): Promise<Shape> {
  const found = (await client.query<Shape['tables'][number] & { mayRead: boolean }>(tables)).rows
  const unread = found
    .filter(({ mayRead }) => !mayRead)
    .map(({ name }) => `table ${name}, which this role may not read`)
  const kept = found.filter(({ mayRead }) => mayRead).map(({ mayRead: _, ...table }) => table)
  const names = (await client.query<{ name: string }>(sequences)).rows
  const counted: BackedSchema['sequences'][number][] = []
  for (const { name } of names) {
    const { rows } = await client.query<{ lastValue: string; isCalled: boolean }>(
      `SELECT last_value::text AS "lastValue", is_called AS "isCalled" FROM ${quoteIdentifier(name)}`,
    )
    counted.push({ name, ...(rows[0] as { lastValue: string; isCalled: boolean }) })
  }
  const more = (await client.query<{ what: string }>(others)).rows.map(({ what }) => what)
  return {
    tables: inOrder(kept),
    sequences: counted,
    views: (await client.query<{ name: string; sql: string }>(views)).rows,
    leftOut: [...more, ...unread],
  }
}

/** Each table behind those that it refers to. */
function inOrder<T extends { readonly name: string; readonly after: readonly string[] }>(
  all: readonly T[],
): readonly T[] {
  const known = new Map(all.map((one) => [one.name, one]))
  const taken = new Set<string>()
  const ordered: T[] = []
  const take = (one: T) => {
    if (taken.has(one.name)) return
    taken.add(one.name)
    for (const name of one.after) {
      const before = known.get(name)
      if (before !== undefined) take(before)
    }
    ordered.push(one)
  }
  for (const one of all) take(one)
  return ordered
}
