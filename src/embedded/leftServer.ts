import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { withFileLock } from './fileLock.ts'
import { prepareLayout } from './layout.ts'
import { findServer, stopServer } from './serverProcess.ts'
import { countUsers } from './users.ts'

const lockTimeoutMs = 30_000
const stopTimeoutMs = 60_000

/**
 * Ends the server of a data folder that nobody uses, as one that was killed with all its users leaves it.
 * @returns the process id of the server that was ended, or null where there was none or where somebody uses it
 */
export async function endLeftServer(dataDir: string): Promise<number | null> {
  if (!existsSync(join(resolve(dataDir), 'postgres'))) return null
  const layout = prepareLayout(dataDir, () => undefined)
  if (findServer(layout) === null) return null
  return withFileLock(layout.lock, lockTimeoutMs, async () => {
    const server = countUsers(layout) === 0 ? findServer(layout) : null
    if (server === null) return null
    await stopServer(layout, stopTimeoutMs)
    return server.pid
  })
}

/** How many processes use the server of a data folder, and where its files are; null where there is no embedded database. */
export function embeddedDatabase(
  dataDir: string,
): { readonly users: number; readonly root: string; readonly cluster: string } | null {
  if (!existsSync(join(resolve(dataDir), 'postgres'))) return null
  const layout = prepareLayout(dataDir, () => undefined)
  return { users: countUsers(layout), root: layout.root, cluster: layout.cluster }
}
