import pg from 'pg'
import type { LakeCopy } from '../runtime/outlet.ts'
import { type DataFile, DataFileWriter, rowsPerFile } from './dataFile.ts'
import { type LakePlace, type PreparedCommit, prepareCommit } from './lakeCommit.ts'
import { readLiveFiles, readTable } from './lakeFacts.ts'
import { fullName, type LakeTable, type LakeType, lakeTable } from './lakeTable.ts'

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

const dayMs = 86_400_000
/** Rows whose values come together. */
const pageRows = 32_768

/** One that was dropped stays in the lake as it was. */
const mirrorsText = `SELECT table_name, lake_name, columns, key, day_column FROM lake_mirror WHERE to_regclass(quote_ident(table_name)) IS NOT NULL ORDER BY lake_name`

const isNoted = `SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident($1)) AND tgname = 'lake_inserted'`

const takeDaysText = `DELETE FROM dirty_day RETURNING table_name AS "table", (extract(epoch FROM day) / 86400)::float8 AS day`

/**
 * Says that the lake has the table as well: from now on whoever writes to it says, in the same transaction, which days have changed, and the next commit has them. All that is there already counts as
 * changed. Said twice it changes nothing.
 */
export async function followInLake(
  client: Pick<pg.ClientBase, 'query'>,
  { table, lake }: { readonly table: string; readonly lake: LakeCopy },
): Promise<void> {
  const columns = lake.columns.map(({ name, type, isOptional }) => [name, isOptional ? `${type}?` : type])
  const { rowCount } = await client.query(
    `INSERT INTO lake_mirror AS known (table_name, lake_name, columns, key, day_column) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (table_name) DO UPDATE SET lake_name = excluded.lake_name, columns = excluded.columns, key = excluded.key, day_column = excluded.day_column
     WHERE (known.lake_name, known.columns, known.key, known.day_column) IS DISTINCT FROM (excluded.lake_name, excluded.columns, excluded.key, excluded.day_column)`,
    [table, `${lake.namespace}.${lake.name}`, JSON.stringify(columns), lake.key, lake.day],
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
    lake: lakeTable(lake_name, {
      columns: Object.fromEntries(columns) as Readonly<Record<string, LakeType>>,
      key,
      ...(day_column === null ? {} : { day: day_column }),
    }),
  }))
}

/** Says that all of every followed table has changed, so that the next commit makes of the lake what PostgreSQL has. */
export async function dirtyMirrors(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  await client.query(
    'SELECT note_all_days(table_name, day_column) FROM lake_mirror WHERE to_regclass(quote_ident(table_name)) IS NOT NULL',
  )
}

/**
 * Prepares a commit for each table with days that have changed: those days, as they are in the transaction of the client, take the place of what the lake has of them. Applied in the same
 * transaction, so that the lake has what PostgreSQL has. Whoever calls it holds the lock of writers (`whileWriting`) until after its commit, and publishes then. Holds the rows of one day as text, and the files of
 * one table.
 * @param at the time of the commits, ms UTC
 */
export async function mirrorChanges(
  client: pg.ClientBase,
  place: LakePlace,
  at: number,
): Promise<readonly PreparedCommit[]> {
  const { rows } = await client.query<{ table: string; day: number | null }>(takeDaysText)
  if (rows.length === 0) return []
  const changed = Map.groupBy(rows, ({ table }) => table)
  const commits: PreparedCommit[] = []
  for (const mirror of await readMirrors(client)) {
    const days = new Set(changed.get(mirror.table)?.map(({ day }) => day))
    if (days.size === 0) continue
    const commit = await mirrorDays(client, place, mirror, days, at)
    if (commit !== null) commits.push(commit)
  }
  return commits
}

async function mirrorDays(
  client: pg.ClientBase,
  place: LakePlace,
  mirror: LakeMirror,
  days: ReadonlySet<number | null>,
  at: number,
): Promise<PreparedCommit | null> {
  const { lake } = mirror
  const added: DataFile[] = []
  const ordered = [...days].sort((a, b) => (a ?? 0) - (b ?? 0))
  for (const day of ordered) added.push(...(await filesOf(client, mirror, day)))
  const name = fullName(lake)
  const live = (await readTable(client, name)) === null ? [] : await readLiveFiles(client, name)
  const removed = live.filter(({ day }) => days.has(day)).map(({ path }) => path)
  const commit = await prepareCommit(client, place, lake, { added, removed }, at)
  await commit?.apply(client)
  return commit
}

type ReadPage = readonly [count: number, ...columns: string[]]

/** Files of one day, or of all where the table is not cut by days, in the order of the key. */
async function filesOf(
  client: pg.ClientBase,
  { table, lake }: LakeMirror,
  day: number | null,
): Promise<readonly DataFile[]> {
  const values = lake.day === null ? [] : [(day ?? 0) * dayMs, ((day ?? 0) + 1) * dayMs]
  const answer = await client.query<ReadPage[]>({ text: pagesText(table, lake), values, rowMode: 'array' })
  const files: DataFile[] = []
  let file: DataFileWriter | null = null
  for (const [count, ...columns] of answer.rows as unknown as readonly ReadPage[]) {
    file ??= new DataFileWriter(lake, day)
    file.addColumns(columns, count)
    if (file.rowCount < rowsPerFile) continue
    files.push(file.finish())
    file = null
  }
  return file === null ? files : [...files, file.finish()]
}

/** Reads rows as columns, some thousand values in one text: a text for each value takes several times as long. */
function pagesText(table: string, lake: LakeTable): string {
  const quoted = (name: string) => pg.escapeIdentifier(name)
  const order = lake.key.length === 0 ? '' : `ORDER BY ${lake.key.map((name) => quoted(name)).join(', ')}`
  const ofDay =
    lake.day === null
      ? ''
      : `WHERE ${quoted(lake.day)} >= timestamptz 'epoch' + $1 * interval '1 millisecond' AND ${quoted(lake.day)} < timestamptz 'epoch' + $2 * interval '1 millisecond'`
  const columns = lake.columns.map(({ name, type }) => joined(`r.${quoted(name)}`, type))
  return `SELECT count(*)::float8, ${columns.join(', ')}
    FROM (SELECT *, row_number() OVER (${order}) AS "millrace row" FROM ${quoted(table)} ${ofDay}) AS r
    GROUP BY ("millrace row" - 1) / ${pageRows} ORDER BY min("millrace row")`
}

/** What `DataFileWriter` takes of a column: times as seconds, decimals as their exact text, jsonb as its text. */
function joined(column: string, type: LakeType): string {
  if (type === 'string') return `array_to_json(array_agg(${column}::text ORDER BY r."millrace row"))::text`
  const value = type === 'timestamptz' ? `extract(epoch FROM ${column})` : column
  return `string_agg(coalesce(${value}::text, ''), ',' ORDER BY r."millrace row")`
}
