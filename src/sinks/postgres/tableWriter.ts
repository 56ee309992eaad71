import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { ConfigurationError } from '../../runtime/errors.ts'
import { rowKeys } from '../../runtime/rowKey.ts'
import type { AppendTable, ColumnType, RowText, Table, UpsertTable } from '../../runtime/table.ts'
import { rowText } from './columnText.ts'
import { quoteIdentifier } from './connection.ts'
import { ownerColumn } from './ownerColumn.ts'
import { statementParts } from './statementParts.ts'

/** Something to do on a connection, inside the caller's transaction. */
export interface Step {
  (client: pg.ClientBase): Promise<unknown>
  /** What it sends, roughly; left out where that is little. */
  readonly bytes?: number
}

/** A step that makes what it sends when its turn comes. */
export function largeStep(bytes: number, act: (client: pg.ClientBase) => Promise<unknown>): Step {
  return Object.assign(act, { bytes })
}

const rowsPerStatement = 10_000
const copyChunkBytes = 64 * 1024

/**
 * The steps that write the rows. Upserts may be sent without waiting for one another; an append (COPY) may not.
 *
 * Of several rows with one key the newest revision is written, the later one among equals, since a statement may touch a row once only. Rows
 * go in the order of their keys, so that two writers of one table wait for each other and never deadlock. A row that another owner has written before ends the
 * transaction (MR004); one without an owner is taken over.
 * @param owner the number of the task in `row_owner`
 */
export function writeSteps<Row>(
  table: Table<Row>,
  rows: readonly Row[],
  owner: number,
  texts?: readonly RowText[],
): readonly Step[] {
  if (rows.length === 0) return []
  if (table.mode === 'append') return [appendStep(table, copyChunks(table, rows, texts))]
  return upsertSteps(table, texts ?? rows.map((row) => rowText(table, row)), owner)
}

function upsertSteps(table: UpsertTable<never>, rows: readonly RowText[], owner: number): readonly Step[] {
  const statement = upsertStatement(table)
  return [...statementParts(newestRows(statement, rows), rowBytes, rowsPerStatement)].map(({ items, bytes }) =>
    largeStep(bytes, (client) => {
      const values = table.columns.map((column, i) => columnLiteral(items, i, column.type))
      return client.query({ name: statement.name, text: statement.text, values: [...values, owner] })
    }),
  )
}

function rowBytes(row: RowText): number {
  let bytes = 0
  for (const text of row) bytes += text?.length ?? 4
  return bytes
}

function newestRows({ keyOf, revisionIndex }: UpsertStatement, rows: readonly RowText[]): readonly RowText[] {
  const byKey = new Map<string, RowText>()
  for (const texts of rows) {
    const key = keyOf(texts)
    const known = byKey.get(key)
    if (known === undefined || Number(texts[revisionIndex]) >= Number(known[revisionIndex])) byKey.set(key, texts)
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, texts]) => texts)
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

function appendStep(table: AppendTable<never>, chunks: readonly Buffer[]): Step {
  const columns = table.columns.map((column) => quoteIdentifier(column.name)).join(', ')
  const text = `COPY ${quoteIdentifier(table.name)} (${columns}) FROM STDIN`
  return (client) => pipeline(Readable.from(chunks, { objectMode: true }), client.query(copyFrom(text)))
}

const copyEscapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const special = /[\\\n\r\t]/
const allSpecial = /[\\\n\r\t]/g

/** The rows as COPY reads them. All at once, so that a row that cannot be written is found before anything is sent; the bytes take less room than the rows. */
function copyChunks<Row>(
  table: AppendTable<Row>,
  rows: readonly Row[],
  texts: readonly RowText[] | undefined,
): readonly Buffer[] {
  // Of other types no text has a character that COPY treats specially.
  const isEscaped = table.columns.map(({ type }) => type === 'text' || type === 'jsonb')
  const chunks: Buffer[] = []
  let chunk = ''
  for (const [i, row] of rows.entries()) {
    const known = texts?.[i] ?? rowText(table, row)
    for (let column = 0; column < known.length; column += 1) {
      if (column > 0) chunk += '\t'
      const text = known[column] as string | null
      if (text === null) chunk += '\\N'
      else chunk += isEscaped[column] === true && special.test(text) ? escapedForCopy(text) : text
    }
    chunk += '\n'
    if (chunk.length < copyChunkBytes) continue
    chunks.push(Buffer.from(chunk))
    chunk = ''
  }
  if (chunk !== '') chunks.push(Buffer.from(chunk))
  return chunks
}

function escapedForCopy(text: string): string {
  return text.replace(allSpecial, (character) => copyEscapes[character]!)
}

interface UpsertStatement {
  readonly name: string
  readonly text: string
  readonly keyOf: (row: RowText) => string
  readonly revisionIndex: number
}

const statements = new WeakMap<object, UpsertStatement>()

function upsertStatement(table: UpsertTable<never>): UpsertStatement {
  let statement = statements.get(table)
  if (statement === undefined) {
    statement = buildUpsert(table)
    statements.set(table, statement)
  }
  return statement
}

function buildUpsert(table: UpsertTable<never>): UpsertStatement {
  const names = table.columns.map((column) => column.name)
  const missing = [...table.key, table.revision].find((name) => !names.includes(name))
  if (missing !== undefined)
    throw new ConfigurationError(`table ${table.name}: its key or revision names ${missing}, which is no column of it`)
  const written = [...names, ownerColumn].map(quoteIdentifier).join(', ')
  const owner = quoteIdentifier(ownerColumn)
  const revision = quoteIdentifier(table.revision)
  const parameters = table.columns.map((column, i) => `$${i + 1}::${column.type}[]`).join(', ')
  const assignments = [...names, ownerColumn]
    .filter((name) => !table.key.includes(name))
    .map((name) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`)
    .join(', ')
  const text =
    `INSERT INTO ${quoteIdentifier(table.name)} AS t (${written}) SELECT *, $${names.length + 1}::integer FROM unnest(${parameters}) ` +
    `ON CONFLICT (${table.key.map(quoteIdentifier).join(', ')}) DO UPDATE SET ${assignments} ` +
    `WHERE CASE WHEN t.${owner} <> excluded.${owner} THEN refuse('MR004', 'a row belongs to another task') ` +
    `ELSE excluded.${revision} >= t.${revision} END`
  return { name: statementName(text), text, keyOf: rowKeys(table), revisionIndex: names.indexOf(table.revision) }
}

/** A name for a prepared statement, within the 63 bytes that PostgreSQL keeps of one. */
export function statementName(text: string): string {
  return `millrace_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`
}
