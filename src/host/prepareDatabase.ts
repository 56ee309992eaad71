import type pg from 'pg'
import type { Table } from '../runtime/store/table.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { ensureTables } from '../sinks/postgres/ensureTables.ts'
import { migrate, migrationTimeoutMs } from '../sinks/postgres/migrate.ts'
import { decisiveTrouble } from '../sinks/postgres/serverProbe.ts'

/**
 * Migrates the schema, lets `check` look at it and makes the tables that are missing, which `use` may then look at. On a connection of its own, so that an attempt on a database
 * that hangs can be left to itself. Throws `RetryableError` while the database is away, and `ConfigurationError` on a table that does not fit and where something else than PostgreSQL answers.
 */
export async function prepareDatabase(
  address: PostgresAddress,
  schema: string,
  tables: readonly Table<never>[] = [],
  check: (pool: pg.Pool) => Promise<void> = async () => {},
  use: (pool: pg.Pool) => Promise<void> = async () => {},
): Promise<void> {
  const pool = openPool(address, {
    schema,
    applicationName: 'millrace migrate',
    maxConnections: 1,
    statementTimeoutMs: migrationTimeoutMs,
  })
  try {
    await migrate(pool, schema)
    await check(pool)
    if (tables.length > 0) await ensureTables(pool, schema, tables)
    await use(pool)
  } catch (error) {
    throw await decisiveTrouble(error, address)
  } finally {
    await pool.end()
  }
}
