import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import { keyText, shownKey } from '../runtime/store/rowKey.ts'
import type { AppendTable, RowText, Table, UpsertTable } from '../runtime/store/table.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { ownerColumn } from '../sinks/postgres/ownerColumn.ts'
import { columnLiteral } from '../sinks/postgres/tableWriter.ts'
import type { Compared, Difference, TimeRange } from './difference.ts'
import type { MadeRow, RowsMade } from './madeRows.ts'

/** Which rows of a table are compared with what was made, and whose they are. */
export interface TableScope {
  readonly pipeline: string
  /** The topic that leads it. */
  readonly topic: string
  /** By the time of the rows, where they have one; null for all. */
  readonly range: TimeRange | null
}

/** How a table was compared. */
export interface ComparedTable extends Compared {
  /** The column by whose time rows are in the range; null where all were compared. */
  readonly by: string | null
  /** Rows that belong to other pipelines, or that tasks of several partitions have made: which of them has a row is not said by the records. */
  readonly elsewhere: number
  /** Rows with `is_closed` false: they show what there was at some moment, and are not meant to be the same twice. */
  readonly provisional: number
}

/** The column that says of which time a row is: the first timestamptz of its key, or else the first of the table; null where there is none. */
export function timeColumn(table: Table<never>): string | null {
  const times = table.columns.filter(({ type }) => type === 'timestamptz').map(({ name }) => name)
  const ofKey = table.mode === 'upsert' ? times.find((name) => table.key.includes(name)) : undefined
  return ofKey ?? times[0] ?? null
}

const rowsAtOnce = 5_000

/**
 * Compares what the table has with what was made, as PostgreSQL writes both: byte for byte, and one number written in two ways is two. An upsert table row by row, by key; an append table by how often
 * it has each row.
 *
 * Reads stored rows in portions; holds what was made.
 * @param client in a transaction that sees one moment
 * @throws ConfigurationError where the table is not there, or lacks a column
 */
export async function compareTable(
  client: pg.ClientBase,
  table: Table<never>,
  made: RowsMade,
  scope: TableScope,
): Promise<ComparedTable> {
  const reading = await readingOf(client, table, scope)
  return table.mode === 'append' ? compareAppends(reading, table, made) : compareUpserts(reading, table, made, scope)
}

interface Reading {
  readonly client: pg.ClientBase
  readonly table: Table<never>
  readonly scope: TableScope
  readonly by: string | null
  /** Of the columns, as the table has them. */
  readonly types: readonly string[]
}

/** A row as PostgreSQL writes it. */
interface Written {
  readonly cells: RowText
  readonly isInRange: boolean
}

interface Stored extends Written {
  /** `topic/partition` of the task that the row belongs to, with the pipeline before it where that is another; null for nobody's. */
  readonly owner: string | null
}

const typesText = `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
WHERE attrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident($1)) AND attnum > 0 AND NOT attisdropped`

async function readingOf(client: pg.ClientBase, table: Table<never>, scope: TableScope): Promise<Reading> {
  const { rows } = await client.query<{ name: string; type: string }>(typesText, [table.name])
  const known = new Map(rows.map(({ name, type }) => [name, type]))
  const types = table.columns.map(({ name }) => {
    const type = known.get(name)
    if (type !== undefined) return type
    throw new ConfigurationError(
      rows.length === 0
        ? `there is no table ${table.name} in this schema: pipeline ${scope.pipeline} has not written it here, or somebody has dropped it`
        : `table ${table.name} has no column ${name}: pipeline ${scope.pipeline} has not run as it is now`,
      { pipeline: scope.pipeline },
    )
  })
  return { client, table, scope, by: scope.range === null ? null : timeColumn(table), types }
}

const at = (parameter: string) => `timestamptz 'epoch' + ${parameter}::float8 * interval '1 millisecond'`

function isInRange({ by }: Reading, alias: string, first: number): string {
  if (by === null) return 'true'
  const time = `${alias}.${quoteIdentifier(by)}::timestamptz`
  return `(${time} >= ${at(`$${first}`)} AND ${time} < ${at(`$${first + 1}`)}) IS TRUE`
}

function rangeValues({ by, scope: { range } }: Reading): readonly number[] {
  return by === null || range === null ? [] : [range.from, range.to]
}

/** The rows as the table would have them. */
async function* written(reading: Reading, rows: readonly RowText[]): AsyncGenerator<Written> {
  const { client, table, types } = reading
  const names = table.columns.map(({ name }) => quoteIdentifier(name))
  const arrays = table.columns.map(({ type }, i) => `$${i + 1}::${type}[]`).join(', ')
  const cells = names.map((name, i) => `made.${name}::${types[i]}::text`).join(', ')
  const text = `SELECT ${cells}, ${isInRange(reading, 'made', names.length + 1)} FROM unnest(${arrays}) WITH ORDINALITY AS made (${names.join(', ')}, "place of it") ORDER BY "place of it"`
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    const part = rows.slice(start, start + rowsAtOnce)
    const values = [...table.columns.map(({ type }, i) => columnLiteral(part, i, type)), ...rangeValues(reading)]
    const { rows: found } = await client.query<(string | boolean | null)[]>({ text, values, rowMode: 'array' })
    for (const row of found) yield { cells: row.slice(0, -1) as RowText, isInRange: row.at(-1) === true }
  }
}

/** The rows of the table, in portions. Of a table whose key has the time only those of the range: a key is of one time. */
async function* stored(reading: Reading): AsyncGenerator<Stored> {
  const { client, table, scope, by } = reading
  const hasOwner = table.mode === 'upsert'
  const values = [...rangeValues(reading)]
  const inRange = isInRange(reading, 't', 1)
  const owner = hasOwner
    ? `CASE WHEN t.${quoteIdentifier(ownerColumn)} IS NULL THEN NULL WHEN o.id IS NULL THEN 'given away' WHEN o.pipeline = $${values.length + 1} THEN o.topic || '/' || o.partition ELSE o.pipeline || ' ' || o.topic || '/' || o.partition END`
    : 'NULL::text'
  const isOfKey = by !== null && (table.mode === 'append' || table.key.includes(by))
  await client.query(
    `DECLARE stored_rows NO SCROLL CURSOR FOR SELECT ${table.columns.map(({ name }) => `t.${quoteIdentifier(name)}::text`).join(', ')}, ${owner}, ${inRange} FROM ${quoteIdentifier(table.name)} AS t` +
      (hasOwner ? ` LEFT JOIN row_owner AS o ON o.id = t.${quoteIdentifier(ownerColumn)}` : '') +
      (isOfKey ? ` WHERE ${inRange}` : ''),
    hasOwner ? [...values, scope.pipeline] : values,
  )
  for (;;) {
    const { rows } = await client.query<(string | boolean | null)[]>({
      text: `FETCH ${rowsAtOnce} FROM stored_rows`,
      rowMode: 'array',
    })
    for (const row of rows)
      yield { cells: row.slice(0, -2) as RowText, owner: row.at(-2) as string | null, isInRange: row.at(-1) === true }
    if (rows.length < rowsAtOnce) break
  }
  await client.query('CLOSE stored_rows')
}

const writersText = 'SELECT pipeline, topic FROM row_writer WHERE table_name = $1 AND (pipeline, topic) <> ($2, $3)'

async function compareUpserts(
  reading: Reading,
  table: UpsertTable<never>,
  made: RowsMade,
  { pipeline, topic }: TableScope,
): Promise<ComparedTable> {
  const { client, by } = reading
  const { rows: others } = await client.query(writersText, [table.name, pipeline, topic])
  const isShared = others.length > 0
  const keyAt = table.key.map((name) => table.columns.findIndex((column) => column.name === name))
  const keyTypes = keyAt.map((i) => table.columns[i]!.type)
  const keyOf = (cells: RowText) =>
    keyText(
      keyAt.map((i) => cells[i] ?? null),
      keyTypes,
    )
  const closedAt = table.columns.findIndex(({ name, type }) => name === 'is_closed' && type === 'boolean')
  const isProvisional = (cells: RowText) => closedAt >= 0 && cells[closedAt] === 'false'

  const rows = [...made.upserts(table).values()]
  const expected = new Map<string, Written & MadeRow>()
  let at = 0
  for await (const row of written(
    reading,
    rows.map(({ text }) => text),
  )) {
    expected.set(keyOf(row.cells), { ...(rows[at] as MadeRow), ...row })
    at += 1
  }
  const differences: Difference[] = []
  let [compared, elsewhere, provisional] = [0, 0, 0]
  for await (const row of stored(reading)) {
    const key = keyOf(row.cells)
    const other = expected.get(key)
    expected.delete(key)
    const isOurs = row.owner?.startsWith(`${topic}/`) === true
    if (!row.isInRange && other?.isInRange !== true) continue
    if (other?.isContested === true || (isShared && !isOurs)) {
      elsewhere += 1
      continue
    }
    const isMade = other !== undefined && !other.isGone && !isProvisional(other.cells)
    if (isProvisional(row.cells)) {
      provisional += 1
      // Closed, as it was made, it would be missing; as long as it is not, nobody says what it has.
      if (!isMade) continue
    } else if (!isMade) {
      compared += 1
      if (row.isInRange) differences.push({ kind: 'extra', table: table.name, row: shownKey(table, key), columns: {} })
      continue
    }
    compared += 1
    const columns = differingCells(table, row.cells, other.cells)
    const owner = `${topic}/${other.partition}`
    if (row.owner !== null && row.owner !== owner) columns[ownerColumn] = [row.owner, owner]
    if (Object.keys(columns).length > 0)
      differences.push({ kind: 'differs', table: table.name, row: shownKey(table, key), columns })
  }
  for (const [key, { isInRange, isGone, isContested, cells }] of expected) {
    if (!isInRange || isGone || isProvisional(cells)) continue
    if (isContested) {
      elsewhere += 1
      continue
    }
    compared += 1
    differences.push({ kind: 'missing', table: table.name, row: shownKey(table, key), columns: {} })
  }
  return { compared, differences: differences.sort(byRow), by, elsewhere, provisional }
}

async function compareAppends(reading: Reading, table: AppendTable<never>, made: RowsMade): Promise<ComparedTable> {
  const rows = [...made.appends(table)]
  const counts = new Map<string, { readonly cells: RowText; more: number }>()
  const count = (cells: RowText, by: number) => {
    const key = JSON.stringify(cells)
    const known = counts.get(key)
    if (known === undefined) counts.set(key, { cells, more: by })
    else if (known.more + by === 0) counts.delete(key)
    else known.more += by
  }
  let [at, compared] = [0, 0]
  for await (const { cells, isInRange } of written(
    reading,
    rows.map(({ text }) => text),
  )) {
    if (isInRange) count(cells, rows[at]!.count)
    at += 1
  }
  for await (const { cells } of stored(reading)) {
    compared += 1
    count(cells, -1)
  }
  const differences: Difference[] = []
  for (const { cells, more } of counts.values()) {
    const kind = more > 0 ? 'missing' : 'extra'
    if (more > 0) compared += more
    for (let i = 0; i < Math.abs(more); i += 1)
      differences.push({ kind, table: table.name, row: shownRow(table, cells), columns: {} })
  }
  return { compared, differences: differences.sort(byRow), by: reading.by, elsewhere: 0, provisional: 0 }
}

function differingCells(table: Table<never>, ours: RowText, theirs: RowText) {
  const columns: Record<string, readonly [string | null, string | null]> = {}
  for (const [i, { name }] of table.columns.entries()) {
    const cells = [ours[i] ?? null, theirs[i] ?? null] as const
    if (cells[0] !== cells[1]) columns[name] = cells
  }
  return columns
}

function shownRow(table: Table<never>, cells: RowText): string {
  return table.columns.map(({ name }, i) => `${name} ${cells[i]?.slice(0, 100) ?? 'NULL'}`).join(', ')
}

function byRow(a: Difference, b: Difference): number {
  return a.row < b.row ? -1 : a.row > b.row ? 1 : 0
}
