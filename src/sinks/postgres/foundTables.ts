import type pg from 'pg'

/** A column as the catalog of PostgreSQL has it. */
export interface FoundColumn {
  readonly name: string
  /** With its modifiers, as in `numeric(10,2)`. */
  readonly type: string
  readonly isNotNull: boolean
  /** A default, or an expression that generates it. */
  readonly hasDefault: boolean
  readonly identity: '' | 'always' | 'by default'
  readonly generated: '' | 'stored' | 'virtual'
  /** False where texts that differ may be equal. */
  readonly isDeterministic: boolean
  /** What the user may do with it. */
  readonly rights: readonly Right[]
}

/** What may be granted, in the order in which it is written. */
export type Right = 'SELECT' | 'INSERT' | 'UPDATE'

/** A unique index that is whole, valid and on plain columns. */
export interface FoundUnique {
  readonly name: string
  /** The constraint that it belongs to, which is dropped in its place. */
  readonly constraint: string | null
  readonly isPrimary: boolean
  /** False for a constraint that may be deferred. */
  readonly isImmediate: boolean
  /** False where it takes texts for equal that the column's own collation does not. */
  readonly isExact: boolean
  readonly columns: readonly string[]
}

/** What has the name of a table. */
export interface FoundTable {
  /** `relkind` of pg_class. */
  readonly kind: string
  readonly isLogged: boolean
  /** True where the user owns it, and so may add a column. */
  readonly mayAlter: boolean
  readonly columns: readonly FoundColumn[]
  readonly uniques: readonly FoundUnique[]
}

/** A schema, what is in it under some names, and what the user may do there. */
export interface FoundSchema {
  readonly database: string
  readonly user: string
  readonly exists: boolean
  readonly mayUse: boolean
  readonly mayCreate: boolean
  readonly tables: ReadonlyMap<string, FoundTable>
}

const schemaQuery = `
  SELECT current_database() AS database, current_user AS "user", n.oid IS NOT NULL AS exists,
    coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS "mayUse",
    coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS "mayCreate"
  FROM (SELECT) AS once LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1`

const tableQuery = `
  SELECT c.relname AS name, c.relkind AS kind, c.relpersistence <> 'u' AS "isLogged",
    pg_catalog.pg_has_role(c.relowner, 'USAGE') AS "mayAlter",
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'isNotNull', a.attnotnull,
        'hasDefault', a.atthasdef,
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END,
        'generated', CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' ELSE '' END,
        'isDeterministic', coalesce(l.collisdeterministic, true),
        'rights', (SELECT coalesce(jsonb_agg(r), '[]') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS r
          WHERE has_column_privilege(c.oid, a.attnum, r))
      ) ORDER BY a.attnum), '[]')
      FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', ic.relname,
        'constraint', (SELECT o.conname FROM pg_catalog.pg_constraint o WHERE o.conindid = i.indexrelid AND o.conrelid = c.oid AND o.contype IN ('p', 'u')),
        'isPrimary', i.indisprimary,
        'isImmediate', i.indimmediate,
        'isExact', k.is_exact,
        'columns', k.columns
      ) ORDER BY i.indisprimary DESC, ic.relname), '[]')
      FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
      CROSS JOIN LATERAL (
        SELECT jsonb_agg(a.attname ORDER BY u.place) AS columns,
          bool_and(l.collisdeterministic IS NOT FALSE OR l.oid = a.attcollation) AS is_exact
        FROM unnest(i.indkey::int2[], i.indcollation::oid[]) WITH ORDINALITY AS u (attnum, collid, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum
        LEFT JOIN pg_catalog.pg_collation l ON l.oid = u.collid
        WHERE u.place <= i.indnkeyatts) AS k
      WHERE i.indrelid = c.oid AND i.indisunique AND NOT i.indisexclusion AND i.indisvalid AND i.indisready AND i.indislive
        AND i.indpred IS NULL AND 0 <> ALL (i.indkey::int2[])) AS uniques
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = ANY ($2::text[])`

/** What the schema has under the names. */
export async function readSchema(
  db: pg.Pool | pg.ClientBase,
  schema: string,
  names: readonly string[],
): Promise<FoundSchema> {
  const schemas = await db.query<Omit<FoundSchema, 'tables'>>(schemaQuery, [schema])
  const { rows } = await db.query<FoundTable & { readonly name: string }>(tableQuery, [schema, names])
  return { ...schemas.rows[0]!, tables: new Map(rows.map((row) => [row.name, row])) }
}
