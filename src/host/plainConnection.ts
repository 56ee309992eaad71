import { type DatabaseUrl, leavesMachine } from '../sinks/postgres/databaseUrl.ts'

/** A warning where rows and what proves the password would cross a network readable, and nobody has said that they may; else null. */
export function plainConnectionWarning({ host, sslmode }: Pick<DatabaseUrl, 'host' | 'sslmode'>): string | null {
  if (sslmode !== undefined || !leavesMachine(host)) return null
  return (
    `the connection to PostgreSQL at ${host} is not encrypted, so who is on the way can read and change what goes over it: add sslmode=verify-full to DATABASE_URL ` +
    '(with sslrootcert=FILE where the authority is your own), or sslmode=disable where the network is trusted'
  )
}
