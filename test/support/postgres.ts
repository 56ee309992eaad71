import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { superuserOf } from '../../scripts/superuser.ts'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { isPidRunning } from '../../src/embedded/processIdentity.ts'
import { openPool, type PostgresConnection, quoteIdentifier } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { sharedPostgresFolder } from './guardian/sharedServers.ts'

/** A schema of its own in the real PostgreSQL that all test files share. */
export interface TestDatabase {
  readonly connection: PostgresConnection
  /** Of the role that may make databases and roles, which the one of `connection` may not. */
  readonly superuser: PostgresConnection
  readonly schema: string
  /** Plain connections whose search_path is the schema. */
  readonly pool: pg.Pool
  /** Drops the schema and lets go of the server, which the last user stops. */
  close(): Promise<void>
}

/** Use as `const db = await testDatabase()` in `beforeAll` (or at the top of the file) and `db.close()` in `afterAll`. */
export async function testDatabase(options: { readonly isMigrated?: boolean } = {}): Promise<TestDatabase> {
  const server = await startOrJoin(sharedPostgresFolder)
  const schema = `test_${process.pid}_${randomBytes(4).toString('hex')}`
  const pool = openPool(server.connection, { schema, applicationName: 'millrace test' })
  await dropAbandoned(pool)
  if (options.isMigrated ?? true) await migrate(pool, schema)
  else await pool.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`)
  return {
    connection: server.connection,
    superuser: superuserOf(server.connection, sharedPostgresFolder),
    schema,
    pool,
    async close() {
      await pool.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`)
      await pool.end()
      await server.stop()
    },
  }
}

/** Runs statements as the role that may make others. */
export async function asSuperuser(superuser: PostgresConnection, ...statements: readonly string[]): Promise<void> {
  const pool = openPool(superuser, { schema: 'public', applicationName: 'millrace test', maxConnections: 1 })
  try {
    for (const statement of statements) await pool.query(statement)
  } finally {
    await pool.end()
  }
}

// Runs that were killed leave their schemas behind.
async function dropAbandoned(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^test_[0-9]+_'`,
  )
  for (const { name } of rows) {
    if (!isPidRunning(Number(name.split('_')[1]))) {
      await pool.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(name)} CASCADE`)
    }
  }
}
