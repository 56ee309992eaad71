import type pg from 'pg'
import { openPool, type PostgresAddress } from '../../sinks/postgres/connection.ts'
import { migrate } from '../../sinks/postgres/migrate.ts'
import type { DataSet } from '../database.ts'

/**
 * Makes the tables of the data set as they have to be, then lets `check` look at them. On a connection of its own, so that an attempt on a database
 * that hangs can be left to itself. Throws `RetryableError` while the database is away.
 */
export async function prepareDatabase(
  address: PostgresAddress,
  dataSet: DataSet,
  check: (pool: pg.Pool) => Promise<void> = async () => {},
): Promise<void> {
  const pool = openPool(address, { schema: dataSet, applicationName: 'millrace migrate', maxConnections: 1 })
  try {
    await migrate(pool, dataSet)
    await check(pool)
  } finally {
    await pool.end()
  }
}
