import pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { LakeCopy } from '../runtime/outlet.ts'
import { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import { copyOut } from '../sinks/postgres/copyOut.ts'
import { inTurn } from '../sinks/postgres/inTurn.ts'
import { together } from '../sinks/postgres/withClient.ts'
import { type DataFile, DataFileWriter, rowsPerFile } from './dataFile.ts'
import { checkCut, schemasWith } from './icebergSchema.ts'
import { type LakePlace, type PreparedCommit, prepareCommit } from './lakeCommit.ts'
import { readLiveFiles, readTable } from './lakeFacts.ts'
import { decimalOf, fullName, type LakeTable, type LakeType, lakeTable } from './lakeTable.ts'

/** A table of PostgreSQL that the lake has as well. */
export interface LakeMirror {
  /** In PostgreSQL, without its schema. */
  readonly table: string
  /** The same in the lake: a column each, of the same names. */
  readonly lake: LakeTable
}

interface MirrorRow {
  readonly table_name: string
  readonly lake_name: string
  readonly columns: readonly (readonly [name: string, type: string])[]
  readonly key: readonly string[]
  readonly day_column: string | null
}

/** One that was dropped stays in the lake as it was. */
const mirrorsText = `SELECT table_name, lake_name, columns, key, day_column FROM lake_mirror WHERE to_regclass(quote_ident(table_name)) IS NOT NULL ORDER BY lake_name`

const forgetDropped = `DELETE FROM lake_mirror WHERE lake_name = $1 AND to_regclass(quote_ident(table_name)) IS NULL`

const otherText = `SELECT table_name FROM lake_mirror WHERE lake_name = $1 AND table_name <> $2`

const isNoted = `SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident($1)) AND tgname = 'lake_inserted'`

const takeDaysText = `DELETE FROM dirty_day RETURNING table_name AS "table", (extract(epoch FROM day) / 86400)::float8 AS day`

/**
 * Says that the lake has the table as well: from now on whoever writes to it says, in the same transaction, which days have changed, and the next commit has them. All that is there already counts as
 * changed. Said twice it changes nothing. A table of the lake whose table of PostgreSQL was dropped is taken over.
 * @throws ConfigurationError where the lake has other columns there already, or another table, of which a pass could make nothing
 */
export async function followInLake(
  client: Pick<pg.ClientBase, 'query'>,
  { table, lake }: { readonly table: string; readonly lake: LakeCopy },
): Promise<void> {
  const columns = lake.columns.map(({ name, type, isOptional }) => [name, isOptional ? `${type}?` : type] as const)
  const name = `${lake.namespace}.${lake.name}`
  await requireRoom(client, described(name, columns, lake))
  await client.query(forgetDropped, [name])
  const { rows } = await client.query<{ table_name: string }>(otherText, [name, table])
  if (rows[0] !== undefined) {
    throw new ConfigurationError(
      `toLake ${name}: the lake has the table ${rows[0].table_name} under that name. Give ${table} another name in the lake.`,
    )
  }
  const { rowCount } = await client.query(
    `INSERT INTO lake_mirror AS known (table_name, lake_name, columns, key, day_column) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (table_name) DO UPDATE SET lake_name = excluded.lake_name, columns = excluded.columns, key = excluded.key, day_column = excluded.day_column
     WHERE (known.lake_name, known.columns, known.key, known.day_column) IS DISTINCT FROM (excluded.lake_name, excluded.columns, excluded.key, excluded.day_column)`,
    [table, name, JSON.stringify(columns), lake.key, lake.day],
  )
  // A table that was dropped and made again has lost what noted its changes.
  const noted = await client.query(isNoted, [table])
  if (rowCount === 1 || noted.rowCount === 0) await client.query('SELECT follow_in_lake($1, $2)', [table, lake.day])
}

/** The tables that the lake has as well. */
export async function readMirrors(client: pg.ClientBase): Promise<readonly LakeMirror[]> {
  const { rows } = await client.query<MirrorRow>(mirrorsText)
  return rows.map(({ table_name, lake_name, columns, key, day_column }) => ({
    table: table_name,
    lake: described(lake_name, columns, { key, day: day_column }),
  }))
}

function described(
  name: string,
  columns: MirrorRow['columns'],
  { key, day }: Pick<LakeCopy, 'key' | 'day'>,
): LakeTable {
  const types = Object.fromEntries(columns) as Readonly<Record<string, LakeType>>
  return lakeTable(name, { columns: types, key, ...(day === null ? {} : { day }) })
}

/** Whoever begins a pipeline is told, and not the passes, which would stand still for all tables. */
async function requireRoom(client: Pick<pg.ClientBase, 'query'>, lake: LakeTable): Promise<void> {
  const name = fullName(lake)
  const known = await readTable(client, name)
  if (known === null) return
  schemasWith(lake, known.schemas)
  const [file] = await readLiveFiles(client, name)
  if (file !== undefined) checkCut(lake, file.path)
}

/** Says that all of every followed table has changed, so that the next commit makes of the lake what PostgreSQL has. */
export async function dirtyMirrors(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  await client.query(
    'SELECT note_all_days(table_name, day_column) FROM lake_mirror WHERE to_regclass(quote_ident(table_name)) IS NOT NULL',
  )
}

/**
 * Prepares a commit for each table with days that have changed: those days, as they are in the transaction of the client, take the place of what the lake has of them. Applied in the same
 * transaction, so that the lake has what PostgreSQL has. Whoever calls it holds the lock of writers (`whileWriting`) until after its commit, and publishes then. Holds the files of
 * two tables, and no rows.
 * @param at the time of the commits, ms UTC
 */
export async function mirrorChanges(
  connection: pg.ClientBase,
  place: LakePlace,
  at: number,
): Promise<readonly PreparedCommit[]> {
  const client = inTurn(connection)
  const { rows } = await client.query<{ table: string; day: number | null }>(takeDaysText)
  if (rows.length === 0) return []
  const changed = Map.groupBy(rows, ({ table }) => table)
  // The whole is no day of a table that is cut, and a day says nothing of one that is not: it was noted before the table was cut as it is now, or of a row that is of no day.
  const isOf = ({ lake }: LakeMirror, day: number | null) =>
    lake.day === null ? day === null : day !== null && Number.isFinite(day)
  const daysOf = (mirror: LakeMirror) =>
    new Set(changed.get(mirror.table)?.flatMap(({ day }) => (isOf(mirror, day) ? [day] : [])))
  const mirrors = (await readMirrors(client)).filter((mirror) => daysOf(mirror).size > 0)
  const filesOf = (mirror: LakeMirror | undefined) =>
    mirror === undefined ? noFiles : filesOfDays(client, mirror, daysOf(mirror))
  const commits: PreparedCommit[] = []
  let reading = filesOf(mirrors[0])
  for (const [i, mirror] of mirrors.entries()) {
    const added = await reading
    // What one table has made is uploaded while the next one is read.
    reading = filesOf(mirrors[i + 1])
    const [commit] = await together([commitOf(client, place, mirror, { added, days: daysOf(mirror) }, at), reading])
    if (commit !== null) commits.push(commit)
  }
  return commits
}

const noFiles: Promise<readonly DataFile[]> = Promise.resolve([])

interface MirroredDays {
  readonly added: readonly DataFile[]
  readonly days: ReadonlySet<number | null>
}

async function commitOf(
  client: pg.ClientBase,
  place: LakePlace,
  { lake }: LakeMirror,
  { added, days }: MirroredDays,
  at: number,
): Promise<PreparedCommit | null> {
  const name = fullName(lake)
  const live = (await readTable(client, name)) === null ? [] : await readLiveFiles(client, name)
  const removed = live.filter(({ day }) => days.has(day)).map(({ path }) => path)
  const commit = await prepareCommit(client, place, lake, { added, removed }, at)
  await commit?.apply(client)
  return commit
}

/** Files of these days, each in the order of the key. The server sends a day while the file of the one before it is made. */
async function filesOfDays(
  client: pg.ClientBase,
  { table, lake }: LakeMirror,
  days: ReadonlySet<number | null>,
): Promise<readonly DataFile[]> {
  const files: DataFile[] = []
  const writer = new DataFileWriter(lake)
  const text = dayText(table, lake)
  const read = async (day: number | null) => {
    const row = new BinaryRow()
    const onMessage = (message: Buffer) => {
      if (!row.load(message)) return
      writer.addRow(row)
      if (writer.rowCount === rowsPerFile) files.push(writer.finish(day))
    }
    await together([client.query(setDay, [String(day ?? 0)]), copyOut(client, text, onMessage)])
  }
  const ordered = [...days].sort((a, b) => (a ?? 0) - (b ?? 0))
  let reading = read(ordered[0] ?? null)
  for (const [i, day] of ordered.entries()) {
    await reading
    const next = ordered[i + 1]
    // Rows of it come in a later turn of the event loop, when the file of this day is made.
    if (next !== undefined) reading = read(next)
    if (writer.rowCount > 0) files.push(writer.finish(day))
  }
  return files
}

/** For the COPY, which takes no parameters itself. */
const setDay = `SELECT set_config('millrace.day', $1, true)`

function dayText(table: string, lake: LakeTable): string {
  const quoted = (name: string) => pg.escapeIdentifier(name)
  const order = lake.key.length === 0 ? '' : `ORDER BY ${lake.key.map((name) => quoted(name)).join(', ')}`
  const midnight = (days: number) =>
    `timestamptz 'epoch' + (current_setting('millrace.day')::integer + ${days}) * interval '24 hours'`
  const ofDay =
    lake.day === null ? '' : `WHERE ${quoted(lake.day)} >= ${midnight(0)} AND ${quoted(lake.day)} < ${midnight(1)}`
  const columns = lake.columns.map(({ name, type }) => `${quoted(name)}::${sqlTypeOf(type)}`)
  return `COPY (SELECT ${columns.join(', ')} FROM ${quoted(table)} ${ofDay} ${order}) TO STDOUT (FORMAT binary)`
}

/** What `ParquetColumn` takes for a type. */
function sqlTypeOf(type: LakeType): string {
  if (decimalOf(type) !== null) return 'numeric'
  return sqlTypes[type as keyof typeof sqlTypes]
}

const sqlTypes = {
  string: 'text',
  boolean: 'boolean',
  int: 'integer',
  long: 'bigint',
  double: 'double precision',
  timestamptz: 'timestamptz',
} as const
