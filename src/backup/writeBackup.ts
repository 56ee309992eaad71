import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { schemaIdentity } from '../sinks/postgres/archiveIdentity.ts'
import { backupId, backupsPrefix, begunAt, manifestKey } from './backupKeys.ts'
import {
  type BackedFiles,
  type BackedSchema,
  type BackupManifest,
  deleteBackup,
  listBackups,
  manifestBytes,
  readManifest,
} from './backupManifest.ts'
import { copyFiles, filesIn, keptFiles } from './fileCopy.ts'
import { archivedFiles, lakeFiles, type NamedFile } from './namedFiles.ts'
import { schemaShape } from './schemaShape.ts'
import { sha256Of, writeRows } from './tableCopy.ts'

/** Files beside the database. */
export interface FilesPlace {
  readonly store: ObjectStore
  /** Whether a backup holds the files; else they stay where they are, and are only looked for. */
  readonly isCopied: boolean
}

/** What is backed up. */
export interface BackupSource {
  /** No transaction is open on it. */
  readonly client: pg.Client
  /** All of the database that hold tables of Millrace. */
  readonly schemas: readonly string[]
  /** In front of the keys of a schema's files. */
  readonly keyPrefixOf: (schema: string) => string
  /** Null where there is none, or where it is to be left out. */
  readonly archive: FilesPlace | null
  readonly lake: FilesPlace | null
  readonly version: string
  /** ms UTC. */
  readonly now: number
}

/** How far a backup or a restore is. */
export interface BackupProgress {
  readonly schema: string
  /** A table, or `archive` or `lake`. */
  readonly what: string
  /** Done of all tables and files that are known so far. */
  readonly done: number
  readonly total: number
  /** Stored since it began, as they are stored. */
  readonly bytes: number
}

const tasks = `
SELECT pipeline, topic, partition, next_offset::float8 AS "nextOffset", EXISTS (SELECT FROM log_topic AS l WHERE l.topic = t.topic) AS "isEmbedded"
FROM stream_task AS t WHERE next_offset IS NOT NULL ORDER BY pipeline, topic, partition`

/** One that has not ended after so long never will: it is swept by the next one. */
const unfinishedAfterMs = 24 * 3_600_000

/**
 * Writes a backup: all rows as they are at one moment, whatever runs meanwhile, and the files that they name. Tables are in it with what they consist of, so that it can be restored into an empty database.
 * Everything is read back once it is written, and the manifest comes last: one that is killed leaves no backup and harms none. Holds one piece of a table or one file.
 * @throws ConfigurationError where a backup of the database is under way, where files are missing that rows name, and where the store does not give back what it was given
 */
export async function writeBackup(
  source: BackupSource,
  to: ObjectStore,
  onProgress: (progress: BackupProgress) => void,
): Promise<BackupManifest> {
  const { client, now } = source
  const { rows: locked } = await client.query<{ isFree: boolean }>(
    'SELECT pg_try_advisory_lock(hashtextextended(\'millrace backup\', 0)) AS "isFree"',
  )
  if (locked[0]?.isFree !== true)
    throw new ConfigurationError('a backup of this database is under way: let it end, then take another one.')
  try {
    await requireOwnPlace(to, source)
    await sweepUnfinished(to, now)
    const id = await freeId(to, now)
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { rows } = await client.query<{ at: number; server: string }>(
      `SELECT (extract(epoch FROM now()) * 1000)::float8 AS at, current_setting('server_version') AS server`,
    )
    const writer = new Writer(source, to, id, onProgress)
    const schemas = await writer.write()
    await client.query('COMMIT')
    const { at = now, server = '' } = rows[0] ?? {}
    const manifest: BackupManifest = { format: 1, id, at, millrace: source.version, server, schemas }
    const body = manifestBytes(manifest)
    await to.put(manifestKey(id), body, sha256Of(body))
    return manifest
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  } finally {
    await client.query("SELECT pg_advisory_unlock(hashtextextended('millrace backup', 0))").catch(() => undefined)
  }
}

/** Two databases in one place would sweep each other's files. */
async function requireOwnPlace(to: ObjectStore, { client, schemas }: BackupSource): Promise<void> {
  const newest = (await listBackups(to)).whole.at(-1)
  if (newest === undefined) return
  const before = new Set((await readManifest(to, newest)).schemas.map(({ identity }) => identity))
  for (const schema of schemas) {
    await client.query("SELECT set_config('search_path', quote_ident($1), false)", [schema])
    if (before.has(await schemaIdentity(client))) return
  }
  throw new ConfigurationError(
    `${to.location} has the backups of another database: give this one a place or a prefix of its own (--place).`,
  )
}

async function sweepUnfinished(to: ObjectStore, now: number): Promise<void> {
  const { unfinished } = await listBackups(to)
  for (const id of unfinished) if (now - begunAt(id) > unfinishedAfterMs) await deleteBackup(to, id)
}

async function freeId(to: ObjectStore, now: number): Promise<string> {
  for (let at = now; ; at++) {
    const id = backupId(at)
    let isTaken = false
    for await (const _ of to.list(`${backupsPrefix}${id}/`)) isTaken = true
    if (!isTaken) return id
  }
}

class Writer {
  readonly #source: BackupSource
  readonly #to: ObjectStore
  readonly #id: string
  readonly #onProgress: (progress: BackupProgress) => void
  #tables = 0
  #done = 0
  #total = 0
  #bytes = 0
  #kept: Set<string> | null = null

  constructor(source: BackupSource, to: ObjectStore, id: string, onProgress: (progress: BackupProgress) => void) {
    this.#source = source
    this.#to = to
    this.#id = id
    this.#onProgress = onProgress
  }

  async write(): Promise<readonly BackedSchema[]> {
    const written: BackedSchema[] = []
    for (const schema of this.#source.schemas) written.push(await this.#schema(schema))
    return written
  }

  async #schema(name: string): Promise<BackedSchema> {
    const { client } = this.#source
    await client.query("SELECT set_config('search_path', quote_ident($1), true)", [name])
    const identity = await schemaIdentity(client)
    const { rows: migrations } = await client.query<BackedSchema['migrations'][number]>(
      'SELECT number, name, sha256 FROM migration ORDER BY number',
    )
    const shape = await schemaShape(client)
    const archived = await archivedFiles(client, this.#source.keyPrefixOf(name))
    const inLake = await lakeFiles(client, this.#source.keyPrefixOf(name))
    this.#total += shape.tables.length
    const tables: BackedSchema['tables'][number][] = []
    for (const table of shape.tables) {
      const place = { id: this.#id, table: this.#tables }
      this.#tables += 1
      const rows = await writeRows(client, this.#to, place, table, (bytes) => this.#stored(name, table.name, bytes, 0))
      tables.push({ ...table, ...rows })
      this.#stored(name, table.name, 0, 1)
    }
    const leftOut = [...shape.leftOut]
    const archive = await this.#files(name, 'archive', archived, [], leftOut)
    const lake = await this.#files(name, 'lake', inLake.named, inLake.beside, leftOut)
    const elsewhere = inLake.locations.filter((location) => location !== this.#source.lake?.store.location)
    if (this.#source.lake !== null && elsewhere.length > 0)
      throw new ConfigurationError(
        `tables of the lake are in ${elsewhere.join(', ')}, and not in ${this.#source.lake.store.location}: give the place that they were made in (MILLRACE_LAKE).`,
      )
    const { rows: stood } = await client.query<BackedSchema['tasks'][number]>(tasks)
    const { sequences, views } = shape
    return { name, identity, migrations, tables, sequences, views, leftOut, tasks: stood, archive, lake }
  }

  async #files(
    schema: string,
    what: 'archive' | 'lake',
    named: readonly NamedFile[],
    beside: readonly NamedFile[],
    leftOut: string[],
  ): Promise<BackedFiles> {
    const place = this.#source[what]
    if (place === null) {
      if (named.length > 0) leftOut.push(`${named.length} files of the ${what}, which was to be left out`)
      return { location: 'none', isCopied: false, files: [] }
    }
    const { store, isCopied } = place
    if (named.length === 0) return { location: store.location, isCopied, files: [] }
    const sizes = await filesIn(store, this.#source.keyPrefixOf(schema))
    const missing = named.filter(({ key }) => !sizes.has(key))
    if (missing.length > 0)
      throw new ConfigurationError(
        `${missing.length} files of the ${what} that schema ${schema} names are not in ${store.location}, such as ${missing[0]?.key}: ` +
          `say where they are (${what === 'archive' ? 'MILLRACE_ARCHIVE; none leaves the archive out' : 'MILLRACE_LAKE'}).`,
      )
    const wanted = [...named, ...beside.filter(({ key }) => sizes.has(key))]
    this.#total += wanted.length
    if (!isCopied) {
      this.#stored(schema, what, 0, wanted.length)
      const known = wanted.flatMap(({ key, sha256 }) =>
        sha256 === null ? [] : [{ key, sha256, sizeBytes: sizes.get(key) ?? 0 }],
      )
      return { location: store.location, isCopied, files: known }
    }
    this.#kept ??= await keptFiles(this.#to)
    const files = await copyFiles(store, this.#to, wanted, this.#kept, (bytes) => this.#stored(schema, what, bytes, 1))
    return { location: store.location, isCopied, files }
  }

  #stored(schema: string, what: string, bytes: number, done: number): void {
    this.#bytes += bytes
    this.#done += done
    this.#onProgress({ schema, what, done: this.#done, total: this.#total, bytes: this.#bytes })
  }
}
