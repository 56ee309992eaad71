import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { openPool, type PostgresConnection, quoteIdentifier } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { databaseUrl } from './databaseUrl.ts'
import { asSuperuser, testDatabase } from './postgres.ts'

/** A database of its own in the server that all test files share, for code that looks at every schema. */
export interface OwnDatabase {
  readonly connection: PostgresConnection
  /** Of the role that may make roles. */
  readonly superuser: PostgresConnection
  /** As `DATABASE_URL`. */
  readonly url: string
  /** Makes and migrates a schema; gives connections whose search_path it is. */
  schema(name: string): Promise<pg.Pool>
  /** Drops the database. */
  close(): Promise<void>
}

export async function ownDatabase(): Promise<OwnDatabase> {
  const server = await testDatabase({ isMigrated: false })
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`
  const owner = quoteIdentifier(server.connection.user)
  await asSuperuser(server.superuser, `CREATE DATABASE ${quoteIdentifier(name)} OWNER ${owner}`)
  const connection = { ...server.connection, database: name }
  const pools: pg.Pool[] = []
  return {
    connection,
    superuser: { ...server.superuser, database: name },
    url: databaseUrl(connection),
    async schema(schema) {
      const pool = openPool(connection, { schema, applicationName: 'millrace test' })
      pools.push(pool)
      await migrate(pool, schema)
      return pool
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.end()))
      await asSuperuser(server.superuser, `DROP DATABASE ${quoteIdentifier(name)} WITH (FORCE)`)
      await server.close()
    },
  }
}
