import { startOrJoin } from '../embedded/embeddedPostgres.ts'
import type { ServerStatus } from '../embedded/supervisor.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'
import { databaseLocation, parseDatabaseUrl } from '../sinks/postgres/databaseUrl.ts'
import type { HostSettings } from './hostSettings.ts'
import { plainConnectionWarning } from './plainConnections.ts'

/** The database of a run, however it came about. */
export interface RunDatabase {
  readonly address: PostgresAddress
  /** For people; holds no secret. */
  readonly location: string
  /** What the embedded server is going through, or null. */
  readonly waitingFor: string | null
  close(): Promise<void>
}

/** The database of a run: DATABASE_URL, or the data folder's own, which is started again whenever it dies. */
export async function openRunDatabase(
  settings: Pick<HostSettings, 'dataDir' | 'databaseUrl'>,
  onProgress: (line: string) => void,
): Promise<RunDatabase> {
  if (settings.databaseUrl !== undefined) {
    const url = parseDatabaseUrl(settings.databaseUrl)
    const warning = plainConnectionWarning(url)
    if (warning !== null) onProgress(`warning: ${warning}`)
    return {
      address: { connectionString: settings.databaseUrl },
      location: databaseLocation(url),
      waitingFor: null,
      close: async () => {},
    }
  }
  let waitingFor: string | null = null
  const onStatus = (status: ServerStatus) => {
    waitingFor =
      status.state === 'running'
        ? null
        : `PostgreSQL to start again, attempt ${status.attempt}${status.error === null ? '' : `: ${status.error.message}`}`
  }
  const embedded = await startOrJoin(settings.dataDir, { onProgress, onStatus })
  const { host, port } = embedded.connection
  return {
    address: embedded.connection,
    location: `embedded PostgreSQL, ${host}:${port}`,
    get waitingFor() {
      return waitingFor
    },
    close: () => embedded.stop(),
  }
}
