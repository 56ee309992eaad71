import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { asMillraceError } from '../sinks/postgres/errors.ts'
import { type Migration, readMigrations } from '../sinks/postgres/migrate.ts'
import type { BackedSchema, BackedTable, BackupManifest } from './backupManifest.ts'
import { type FilesTarget, restoreFiles } from './restoreFiles.ts'
import { readRows } from './tableCopy.ts'
import type { BackupProgress } from './writeBackup.ts'

/** Where a backup is restored to. */
export interface RestoreTarget {
  /** No transaction is open on it. The database has none of the tables. */
  readonly client: pg.Client
  readonly keyPrefixOf: (schema: string) => string
  /** Null leaves the files where they are. */
  readonly archive: FilesTarget | null
  readonly lake: FilesTarget | null
}

/**
 * Restores a backup into a database that has none of it: files first, then all tables of all schemas in one transaction, so that a database has all of it or nothing. One that is killed is begun again.
 * Holds one piece of a table or one file.
 * @throws ConfigurationError where something of it is there already, where it is damaged, or where another release made it
 */
export async function restoreBackup(
  store: ObjectStore,
  manifest: BackupManifest,
  target: RestoreTarget,
  onProgress: (progress: BackupProgress) => void,
): Promise<void> {
  const migrations = migrationsOf(manifest)
  await requireEmpty(target.client, manifest)
  await restoreFiles(store, manifest, target, onProgress)
  const { client } = target
  try {
    await client.query('BEGIN')
    await restoreRows(store, manifest, client, migrations, onProgress)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw asMillraceError(error, `restore backup ${manifest.id}`)
  }
}

/** Throws where this release lacks a migration of the backup, or has another one under its number. */
function migrationsOf({ schemas, millrace }: BackupManifest): ReadonlyMap<string, readonly Migration[]> {
  const known = new Map(readMigrations().map((migration) => [migration.number, migration]))
  return new Map(
    schemas.map(({ name, migrations }) => [
      name,
      migrations.map(({ number, name: file, sha256 }) => {
        const migration = known.get(number)
        if (migration?.sha256 === sha256) return migration
        throw new ConfigurationError(
          `the backup was made by millrace ${millrace}, whose migration ${file} this one does not have as it was: restore it with that release, and upgrade then.`,
        )
      }),
    ]),
  )
}

async function requireEmpty(client: pg.Client, { schemas }: BackupManifest): Promise<void> {
  for (const { name, tables } of schemas) {
    const { rows } = await client.query<{ table: string }>(
      `SELECT c.relname AS table FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relname = ANY ($2) ORDER BY 1 LIMIT 3`,
      [name, tables.map((table) => table.name)],
    )
    if (rows.length === 0) continue
    throw new ConfigurationError(
      `schema ${name} of this database has tables already (${rows.map(({ table }) => table).join(', ')}): a backup is restored into a database that has none. ` +
        'Take a new database or data folder; for the embedded one, `millrace cleanup` removes what is there, or move the data folder away.',
    )
  }
}

async function restoreRows(
  store: ObjectStore,
  { id, schemas }: BackupManifest,
  client: pg.Client,
  migrations: ReadonlyMap<string, readonly Migration[]>,
  onProgress: (progress: BackupProgress) => void,
): Promise<void> {
  const total = schemas.reduce((sum, { tables }) => sum + tables.length, 0)
  let number = 0
  let bytes = 0
  for (const schema of schemas) {
    await makeSchema(client, schema.name)
    for (const { sql } of migrations.get(schema.name) ?? []) await client.query(sql)
    await makeTables(client, schema)
    const names = schema.tables.map((table) => quoteIdentifier(table.name))
    await client.query(`TRUNCATE ${names.join(', ')}`)
    for (const table of schema.tables) {
      const quoted = quoteIdentifier(table.name)
      // What triggers would note is in the backup itself.
      await client.query(`ALTER TABLE ${quoted} DISABLE TRIGGER USER`)
      const place = { id, table: number }
      await readRows(client, store, place, table, (more) => {
        bytes += more
        onProgress({ schema: schema.name, what: table.name, done: number, total, bytes })
      })
      await client.query(`ALTER TABLE ${quoted} ENABLE TRIGGER USER`)
      number += 1
      onProgress({ schema: schema.name, what: table.name, done: number, total, bytes })
    }
    await finishSchema(client, schema)
  }
}

async function makeSchema(client: pg.Client, name: string): Promise<void> {
  const quoted = quoteIdentifier(name)
  const { rows } = await client.query<{ found: boolean }>(
    'SELECT to_regnamespace(quote_ident($1)) IS NOT NULL AS found',
    [name],
  )
  if (rows[0]?.found !== true) await client.query(`CREATE SCHEMA ${quoted}`)
  await client.query(`SET LOCAL search_path TO ${quoted}`)
}

/** Those of pipelines, which no migration makes, and columns that somebody has added. */
async function makeTables(client: pg.Client, { tables, sequences }: BackedSchema): Promise<void> {
  const identities = new Set(
    tables.flatMap((table) =>
      table.columns.filter(({ identity }) => identity !== null).map((column) => `${table.name}_${column.name}_seq`),
    ),
  )
  for (const { name } of sequences)
    if (!identities.has(name)) await client.query(`CREATE SEQUENCE IF NOT EXISTS ${quoteIdentifier(name)}`)
  for (const table of tables) {
    const { rows } = await client.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped`,
      [table.name],
    )
    const quoted = quoteIdentifier(table.name)
    if (rows.length === 0) {
      const withStorage = table.storage === '' ? '' : ` WITH (${table.storage})`
      await client.query(`CREATE TABLE ${quoted} (${table.columns.map(columnSql).join(', ')})${withStorage}`)
      for (const { name, sql } of table.constraints)
        await client.query(`ALTER TABLE ${quoted} ADD CONSTRAINT ${quoteIdentifier(name)} ${sql}`)
      continue
    }
    const known = new Set(rows.map(({ name }) => name))
    for (const column of table.columns)
      if (!known.has(column.name)) await client.query(`ALTER TABLE ${quoted} ADD COLUMN ${columnSql(column)}`)
  }
}

function columnSql({ name, type, isNeeded, byDefault, generatedAs, identity }: BackedTable['columns'][number]): string {
  const parts = [
    `${quoteIdentifier(name)} ${type}`,
    generatedAs === null ? '' : ` GENERATED ALWAYS AS (${generatedAs}) STORED`,
    identity === null ? '' : ` GENERATED ${identity} AS IDENTITY`,
    byDefault === null ? '' : ` DEFAULT ${byDefault}`,
    isNeeded ? ' NOT NULL' : '',
  ]
  return parts.join('')
}

/** Once the rows are there: what is made faster, or only possible, then. */
async function finishSchema(client: pg.Client, { tables, sequences, views }: BackedSchema): Promise<void> {
  const there = async (statement: string, values: readonly string[]) =>
    (await client.query<{ found: boolean }>(`SELECT (${statement}) AS found`, [...values])).rows[0]?.found === true
  for (const table of tables) {
    const quoted = quoteIdentifier(table.name)
    for (const { name, sql } of table.indexes)
      if (!(await there('to_regclass(quote_ident($1)) IS NOT NULL', [name]))) await client.query(sql)
    for (const { name, sql } of table.foreignKeys)
      if (
        !(await there(
          'EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass(quote_ident($1)) AND conname = $2)',
          [table.name, name],
        ))
      )
        await client.query(`ALTER TABLE ${quoted} ADD CONSTRAINT ${quoteIdentifier(name)} ${sql}`)
    for (const { name, sql } of table.triggers)
      if (
        !(await there('EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident($1)) AND tgname = $2)', [
          table.name,
          name,
        ]))
      )
        await client.query(sql)
  }
  for (const { name, lastValue, isCalled } of sequences)
    await client.query('SELECT setval(to_regclass(quote_ident($1)), $2::bigint, $3)', [name, lastValue, isCalled])
  for (const { name, sql } of views)
    if (!(await there('to_regclass(quote_ident($1)) IS NOT NULL', [name])))
      await client.query(`CREATE VIEW ${quoteIdentifier(name)} AS ${sql}`)
}
