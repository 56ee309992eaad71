import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { LakeCopy } from '../runtime/pipeline/outlet.ts'
import { checkCut, schemasWith } from './icebergSchema.ts'
import { readLiveFiles, readTable } from './lakeFacts.ts'
import { fullName, type LakeTable, type LakeType, lakeTable } from './lakeTable.ts'

/** A table of PostgreSQL that the lake has as well. */
export interface LakeMirror {
  /** In PostgreSQL, without its schema. */
  readonly table: string
  /** The same in the lake: a column each, of the same names. */
  readonly lake: LakeTable
  /** The last pass has left it as it was. */
  readonly isRefused: boolean
}

interface MirrorRow {
  readonly table_name: string
  readonly lake_name: string
  readonly columns: readonly (readonly [name: string, type: string])[]
  readonly key: readonly string[]
  readonly day_column: string | null
  readonly refused: string | null
}

/** One that was dropped stays in the lake as it was. */
const mirrorsText = `SELECT table_name, lake_name, columns, key, day_column, refused FROM lake_mirror WHERE to_regclass(quote_ident(table_name)) IS NOT NULL ORDER BY lake_name`

const forgetDropped = `DELETE FROM lake_mirror WHERE lake_name = $1 AND to_regclass(quote_ident(table_name)) IS NULL`

const otherText = `SELECT table_name FROM lake_mirror WHERE lake_name = $1 AND table_name <> $2`

const noting = `SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident($1)) AND tgname = 'lake_inserted'`

/**
 * Says that the lake has the table as well: from now on whoever writes to it says, in the same transaction, which days have changed, and the next commit has them. All that is there already counts as
 * changed. Said twice it changes nothing, and neither does it with fewer columns than before, as by the release before. A table of the lake whose table of PostgreSQL was dropped is taken over.
 * @throws ConfigurationError where the lake has other columns there already, or another table, of which a pass could make nothing
 */
export async function followInLake(
  client: Pick<pg.ClientBase, 'query'>,
  { table, lake }: { readonly table: string; readonly lake: LakeCopy },
): Promise<void> {
  const columns = lake.columns.map(({ name, type, isOptional }) => [name, isOptional ? `${type}?` : type] as const)
  const name = `${lake.namespace}.${lake.name}`
  const wanted = described(name, columns, lake)
  // A table that was dropped and made again has lost what noted its changes.
  const isNoted = (await client.query(noting, [table])).rowCount === 1
  if (isNoted && (await hasMore(client, table, wanted))) return
  await requireRoom(client, wanted)
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
  if (rowCount === 1 || !isNoted) await client.query('SELECT follow_in_lake($1, $2)', [table, lake.day])
}

/** The tables that the lake has as well. */
export async function readMirrors(client: Pick<pg.ClientBase, 'query'>): Promise<readonly LakeMirror[]> {
  const { rows } = await client.query<MirrorRow>(mirrorsText)
  return rows.map(({ table_name, lake_name, columns, key, day_column, refused }) => ({
    table: table_name,
    lake: described(lake_name, columns, { key, day: day_column }),
    isRefused: refused !== null,
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

/** Whether it is followed with these columns and more: by a later release, before this one came back. Then all of them stay. */
async function hasMore(client: Pick<pg.ClientBase, 'query'>, table: string, wanted: LakeTable): Promise<boolean> {
  const known = (await readMirrors(client)).find((mirror) => mirror.table === table)?.lake
  if (known === undefined || known.columns.length <= wanted.columns.length) return false
  return isDeepStrictEqual({ ...known, columns: known.columns.slice(0, wanted.columns.length) }, wanted)
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
