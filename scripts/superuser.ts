import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PostgresConnection } from '../src/sinks/postgres/connection.ts'

/** The superuser of the embedded server of a data folder, for making databases and roles, which the role that pipelines run as may not. */
export function superuserOf(connection: PostgresConnection, dataDir: string): PostgresConnection {
  return { ...connection, user: 'postgres', password: readFileSync(join(dataDir, 'postgres', 'superuser'), 'utf8') }
}
