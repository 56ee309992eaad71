import type { ColumnType, Table } from '../../runtime/store/table.ts'
import { quoteIdentifier } from './connection.ts'
import { ownerColumn } from './ownerColumn.ts'

/** The name as it is written in SQL wherever the search_path points. */
export function qualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/** Names as a list in SQL. */
export function identifiers(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(', ')
}

const ownerDefinition = `${quoteIdentifier(ownerColumn)} integer`

/** The statement that gives an upsert table the column of its rows' owners; it looks at no row. */
export function addOwner(schema: string, table: string): string {
  return `ALTER TABLE ${qualified(schema, table)} ADD COLUMN ${ownerDefinition};`
}

/** The statement that makes the table. In an append table every column may be NULL; in an upsert table the natural key and the revision may not. */
export function createTable(schema: string, table: Table<never>): string {
  const needed = table.mode === 'append' ? [] : [...table.key, table.revision]
  const lines = table.columns.map(
    ({ name, type }) => `${quoteIdentifier(name)} ${type}${needed.includes(name) ? ' NOT NULL' : ''}`,
  )
  if (table.mode === 'upsert') lines.push(ownerDefinition, `PRIMARY KEY (${identifiers(table.key)})`)
  return `CREATE TABLE ${qualified(schema, table.name)} (\n  ${lines.join(',\n  ')}\n);`
}

const numbers = /^(?:smallint|integer|bigint|real|double precision|numeric(?:\(.*\))?)$/
const texts = /^(?:text|json|citext|character(?: varying)?(?:\(\d+\))?)$/

/** Whether the type holds numbers. */
export function isNumber(type: string): boolean {
  return numbers.test(type)
}

/**
 * An expression that gives what is in the column as another type without losing any of it, or fails. Most go by way of text, which is exact
 * where a cast would round.
 */
export function conversion(column: string, from: string, to: ColumnType): string {
  const quoted = quoteIdentifier(column)
  if (to === 'text') return `${quoted}::text`
  if (to === 'jsonb' && !texts.test(from)) return `to_jsonb(${quoted})`
  if (to === 'timestamptz') {
    // As millrace writes them: UTC, and ms since 1970.
    if (/^timestamp.* without time zone$/.test(from)) return `${quoted} AT TIME ZONE 'UTC'`
    if (from === 'date') return `${quoted}::timestamp AT TIME ZONE 'UTC'`
    if (isNumber(from)) return `timestamptz 'epoch' + ${quoted} * interval '1 millisecond'`
  }
  if (from === 'boolean' && isNumber(to)) return `${quoted}::integer::${to}`
  return `${quoted}::text::${to}`
}
