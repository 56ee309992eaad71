import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import { packageFolder } from '../../runtime/ownPackage.ts'
import { quoteIdentifier } from './connection.ts'
import { asMillraceError } from './errors.ts'

/** One file of sql/. It is applied once, in the order of `number`, and may not change afterwards: its `sha256` (lower-case hex) is kept in the database. */
export interface Migration {
  /** Counts up from 1; the first four digits of the file's name. */
  readonly number: number
  /** The name of the file. */
  readonly name: string
  /** The text of the file, run in one transaction. */
  readonly sql: string
  readonly sha256: string
}

const sqlFolder = new URL('sql/', packageFolder)

/** The migrations of sql/, in order. The first makes the table that keeps the list of applied ones. */
export function readMigrations(folder: URL = sqlFolder): readonly Migration[] {
  const names = readdirSync(folder).filter((name) => /^\d{4}_\w+\.sql$/.test(name))
  if (names.length === 0) throw new ConfigurationError(`no migrations in ${fileURLToPath(folder)}: reinstall millrace`)
  return names.sort().map((name) => {
    const sql = readFileSync(new URL(name, folder), 'utf8')
    return { number: Number(name.slice(0, 4)), name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
  })
}

/**
 * Brings the schema up to date, each missing migration in a transaction of its own, and gives the names of those applied. Any number of
 * processes may do so at once. Throws `ConfigurationError` when an applied migration was changed, or the schema is newer than
 * this program, before anything is touched.
 */
export async function migrate(
  pool: pg.Pool,
  schema: string,
  migrations: readonly Migration[] = readMigrations(),
): Promise<readonly string[]> {
  if (await isCurrent(pool, schema, migrations)) return []
  const applied: string[] = []
  for (const migration of migrations) {
    if (await applyOne(pool, schema, migration, migrations)) applied.push(migration.name)
  }
  return applied
}

const lockTimeoutMs = 60_000

/** How long the client of a pool that migrates waits for one migration. */
export const migrationTimeoutMs = 3_600_000

async function applyOne(
  pool: pg.Pool,
  schema: string,
  migration: Migration,
  known: readonly Migration[],
): Promise<boolean> {
  const doing = `apply ${migration.name} to schema ${schema}`
  const client = await pool.connect().catch((error: unknown) => {
    throw asMillraceError(error, doing)
  })
  try {
    await client.query('BEGIN')
    // A large table may take a migration long; one that others keep locked is given up and tried again.
    await client.query(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '${lockTimeoutMs}ms'`)
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`millrace migrate ${schema}`])
    await makeSchema(client, schema)
    await client.query(`SET LOCAL search_path TO ${quoteIdentifier(schema)}`)
    const isDone = check(await readApplied(client, schema), known, schema).has(migration.number)
    if (!isDone) {
      await client.query(migration.sql)
      await client.query('INSERT INTO migration (number, name, sha256) VALUES ($1, $2, $3)', [
        migration.number,
        migration.name,
        migration.sha256,
      ])
    }
    await client.query('COMMIT')
    client.release()
    return !isDone
  } catch (error) {
    // The connection is given up with its transaction: what it was in the middle of is not worth finding out.
    client.release(true)
    throw asMillraceError(error, doing)
  }
}

async function isCurrent(pool: pg.Pool, schema: string, migrations: readonly Migration[]): Promise<boolean> {
  try {
    const applied = check(await readApplied(pool, schema), migrations, schema)
    return migrations.every((migration) => applied.has(migration.number))
  } catch (error) {
    throw asMillraceError(error, `read the migrations of schema ${schema}`)
  }
}

async function makeSchema(client: pg.ClientBase, schema: string): Promise<void> {
  // CREATE SCHEMA IF NOT EXISTS wants the right to create even when there is nothing to do.
  const found = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])
  if (found.rowCount !== 0) return
  try {
    await client.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`)
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '42501') throw error
    throw noRightToMake(schema, error)
  }
}

function noRightToMake(schema: string, cause: pg.DatabaseError): ConfigurationError {
  return new ConfigurationError(
    `schema ${schema} is not there, and this role may not make it (${cause.message}): let somebody who may run CREATE SCHEMA ${quoteIdentifier(schema)} AUTHORIZATION the role, ` +
      'or name one that is there (--schema, MILLRACE_SCHEMA, or schema in the settings)',
    { cause },
  )
}

async function readApplied(
  client: pg.Pool | pg.ClientBase,
  schema: string,
): Promise<ReadonlyMap<number, AppliedMigration>> {
  const table = `${quoteIdentifier(schema)}.migration`
  const exists = await client.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [table])
  if (exists.rows[0]?.found !== true) return new Map()
  const { rows } = await client.query<AppliedMigration>(`SELECT number, name, sha256 FROM ${table}`)
  return new Map(rows.map((row) => [row.number, row]))
}

interface AppliedMigration {
  readonly number: number
  readonly name: string
  readonly sha256: string
}

function check(
  applied: ReadonlyMap<number, AppliedMigration>,
  known: readonly Migration[],
  schema: string,
): ReadonlyMap<number, AppliedMigration> {
  for (const { number, name, sha256 } of applied.values()) {
    const migration = known.find((candidate) => candidate.number === number)
    if (migration === undefined) {
      throw new ConfigurationError(
        `schema ${schema} has migration ${name}, which this millrace does not know: it was migrated by a newer version; use that one`,
      )
    }
    if (migration.sha256 !== sha256) {
      throw new ConfigurationError(
        `${name} was changed after it was applied to schema ${schema} (sha256 ${sha256.slice(0, 12)} then, ` +
          `${migration.sha256.slice(0, 12)} now): restore the file and put the change into a new migration`,
      )
    }
  }
  return applied
}
