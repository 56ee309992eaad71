import type { PostgresConnection } from '../../src/sinks/postgres/connection.ts'

/** The database as `DATABASE_URL` names it. */
export function databaseUrl({ user, password, host, port, database }: PostgresConnection): string {
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
}
