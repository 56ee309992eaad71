import { createHash } from 'node:crypto'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { TableWrite } from '../../runtime/store/checkpoint.ts'
import type { PackedRows } from '../../runtime/store/packedRows.ts'
import { rowKeys } from '../../runtime/store/rowKey.ts'
import type { AppendTable, ColumnType, RowText, UpsertTable } from '../../runtime/store/table.ts'
import { Withdrawn } from '../../runtime/withdrawn.ts'
import { rowText } from './columnText.ts'
import { quoteIdentifier } from './connection.ts'
import { packedRows } from './copyPacker.ts'
import { isNotGivenTo, ownerColumn } from './ownerColumn.ts'
import { statementParts } from './statementParts.ts'
import type { Step } from './step.ts'

const rowsPerStatement = 10_000

/**
 * The steps that write the rows, which may be sent without waiting for one another.
 *
 * Of several rows with one key the newest revision is written, the later one among equals, since a statement may touch a row once only. Rows that are taken back are deleted first, so that a key
 * whose row was taken back starts anew. Rows are locked in the order of their keys, so that two writers of one table wait for each other: a statement that writes does so by itself, and where rows are deleted first all are
 * locked before. A row that another owner has written before ends the
 * transaction (MR004), be it to be replaced or deleted; one without an owner is taken over, and so is one that was given away before the task began.
 * @param owner the number of the task in `row_owner`
 */
export function writeSteps<Row>({ table, rows, texts, packed }: TableWrite<Row>, owner: number): readonly Step[] {
  if (table.mode === 'append') return appendSteps(table, packed ?? packedRows(table, rows))
  if (rows.length === 0) return []
  const statements = statementsOf(table)
  const { upserts, deletes } = settledRows(statements, rows, texts ?? rows.map((row) => rowText(table, row)))
  return [
    ...(deletes.size === 0 ? [] : steps(table, statements.lock, byKey(new Map([...deletes, ...upserts])), [])),
    ...steps(table, statements.delete, byKey(deletes), [owner]),
    ...steps(table, statements.upsert, byKey(upserts), [owner]),
  ]
}

function steps(
  table: UpsertTable<never>,
  { name, text, columns }: Statement,
  rows: readonly RowText[],
  more: readonly number[],
): readonly Step[] {
  return [...statementParts(rows, rowBytes, rowsPerStatement)].map(({ items, bytes }) => ({
    bytes,
    statement: () => {
      const values = columns.map((i) => columnLiteral(items, i, table.columns[i]!.type))
      return { name, text, values: [...values, ...more] }
    },
  }))
}

function rowBytes(row: RowText): number {
  let bytes = 0
  for (const text of row) bytes += text?.length ?? 4
  return bytes
}

/** What one after the other would come to, whatever the table has: of each key at most one row to delete, and at most one to be written after that. */
function settledRows(
  { keyOf, revisionIndex }: TableStatements,
  rows: readonly unknown[],
  texts: readonly RowText[],
): { readonly upserts: ReadonlyMap<string, RowText>; readonly deletes: ReadonlyMap<string, RowText> } {
  const upserts = new Map<string, RowText>()
  const deletes = new Map<string, RowText>()
  const isOlder = (one: RowText, than: RowText | undefined) =>
    than !== undefined && Number(one[revisionIndex]) < Number(than[revisionIndex])
  for (const [i, text] of texts.entries()) {
    const key = keyOf(text)
    if (isOlder(text, upserts.get(key))) continue
    if (!(rows[i] instanceof Withdrawn)) upserts.set(key, text)
    else {
      upserts.delete(key)
      if (!isOlder(text, deletes.get(key))) deletes.set(key, text)
    }
  }
  return { upserts, deletes }
}

function byKey(rows: ReadonlyMap<string, RowText>): readonly RowText[] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, texts]) => texts)
}

/** One column of the rows as an array literal. */
export function columnLiteral(rows: readonly RowText[], column: number, type: ColumnType): string {
  return arrayLiteral(rows, column, type === 'text' || type === 'jsonb')
}

function arrayLiteral(rows: readonly RowText[], column: number, isQuoted: boolean): string {
  let literal = '{'
  for (let i = 0; i < rows.length; i += 1) {
    if (i > 0) literal += ','
    const text = rows[i]![column]
    if (text === null || text === undefined) literal += 'NULL'
    else literal += isQuoted ? quoteElement(text) : text
  }
  return `${literal}}`
}

/** An element of an array literal. */
export function quoteElement(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

function appendSteps(table: AppendTable<never>, { count, chunks }: PackedRows): readonly Step[] {
  if (count === 0) return []
  const columns = table.columns.map((column) => quoteIdentifier(column.name)).join(', ')
  const copy = `COPY ${quoteIdentifier(table.name)} (${columns}) FROM STDIN`
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return [{ bytes, copy, chunks }]
}

/** A prepared statement over rows, and the columns of them that it gets, each as an array. To write and to delete it gets the owner as well, last. */
interface Statement {
  readonly name: string
  readonly text: string
  readonly columns: readonly number[]
}

interface TableStatements {
  readonly lock: Statement
  readonly upsert: Statement
  readonly delete: Statement
  readonly keyOf: (row: RowText) => string
  readonly revisionIndex: number
}

const made = new WeakMap<object, TableStatements>()

function statementsOf(table: UpsertTable<never>): TableStatements {
  const known = made.get(table)
  if (known !== undefined) return known
  const names = table.columns.map((column) => column.name)
  const missing = [...table.key, table.revision].find((name) => !names.includes(name))
  if (missing !== undefined)
    throw new ConfigurationError(`table ${table.name}: its key or revision names ${missing}, which is no column of it`)
  const statements = {
    lock: lockStatement(table, names),
    upsert: upsertStatement(table, names),
    delete: deleteStatement(table, names),
    keyOf: rowKeys(table),
    revisionIndex: names.indexOf(table.revision),
  }
  made.set(table, statements)
  return statements
}

const refusal = `refuse('MR004', 'a row belongs to another task')`

function upsertStatement(table: UpsertTable<never>, names: readonly string[]): Statement {
  const written = [...names, ownerColumn].map(quoteIdentifier).join(', ')
  const owner = quoteIdentifier(ownerColumn)
  const revision = quoteIdentifier(table.revision)
  const assignments = [...names, ownerColumn]
    .filter((name) => !table.key.includes(name))
    .map((name) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`)
    .join(', ')
  const columns = names.map((_, i) => i)
  return statement(
    columns,
    `INSERT INTO ${quoteIdentifier(table.name)} AS t (${written}) SELECT *, $${names.length + 1}::integer FROM unnest(${parameters(table, columns)}) ` +
      `ON CONFLICT (${table.key.map(quoteIdentifier).join(', ')}) DO UPDATE SET ${assignments} ` +
      `WHERE CASE WHEN t.${owner} <> excluded.${owner} AND ${isNotGivenTo(`t.${owner}`, `excluded.${owner}`)} THEN ${refusal} ELSE excluded.${revision} >= t.${revision} END`,
  )
}

/** Takes the rows that are there, in the order in which it gets their keys. */
function lockStatement(table: UpsertTable<never>, names: readonly string[]): Statement {
  const columns = table.key.map((name) => names.indexOf(name))
  const places = table.key.map((_, i) => `k${i}`).join(', ')
  return statement(
    columns,
    `SELECT count(*) FROM (SELECT FROM ${quoteIdentifier(table.name)} AS t JOIN unnest(${parameters(table, columns)}) WITH ORDINALITY AS w (${places}, place) ` +
      `ON ${hasSameKey(table)} ORDER BY w.place FOR UPDATE OF t) AS locked`,
  )
}

function hasSameKey({ key }: UpsertTable<never>): string {
  return key.map((name, i) => `t.${quoteIdentifier(name)} = w.k${i}`).join(' AND ')
}

function deleteStatement(table: UpsertTable<never>, names: readonly string[]): Statement {
  const owner = quoteIdentifier(ownerColumn)
  const columns = [...table.key, table.revision].map((name) => names.indexOf(name))
  const task = `$${columns.length + 1}::integer`
  return statement(
    columns,
    `DELETE FROM ${quoteIdentifier(table.name)} AS t USING unnest(${parameters(table, columns)}) AS w (${[...table.key.map((_, i) => `k${i}`), 'revision'].join(', ')}) ` +
      `WHERE ${hasSameKey(table)} AND CASE WHEN t.${owner} <> ${task} AND ${isNotGivenTo(`t.${owner}`, task)} THEN ${refusal} ELSE w.revision >= t.${quoteIdentifier(table.revision)} END`,
  )
}

function parameters(table: UpsertTable<never>, columns: readonly number[]): string {
  return columns.map((column, i) => `$${i + 1}::${table.columns[column]!.type}[]`).join(', ')
}

function statement(columns: readonly number[], text: string): Statement {
  return { name: statementName(text), text, columns }
}

/** A name for a prepared statement, within the 63 bytes that PostgreSQL keeps of one. */
export function statementName(text: string): string {
  return `millrace_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`
}
