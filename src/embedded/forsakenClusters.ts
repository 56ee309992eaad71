import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { sharedRoot } from './layout.ts'
import { stopServer } from './serverProcess.ts'

/**
 * Removes databases under /var/lib/millrace whose data folder was deleted, with a server that still runs on one. Only data folders of
 * the system's temporary folder count: any other may be on a disk that is not mounted at the moment.
 */
export async function sweepForsakenClusters(): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync(sharedRoot)) return
  for (const name of readdirSync(sharedRoot)) {
    const folder = join(sharedRoot, name)
    // Without it: the copied programs, or what somebody else has put there.
    const origin = readText(join(folder, 'origin'))
    const cluster = join(folder, 'data')
    if (origin === null || !origin.startsWith(tmpdir() + sep) || readText(origin) === cluster) continue
    if (existsSync(cluster)) await stopServer({ cluster, serverLog: join(folder, 'server.log') }, 1_000)
    rmSync(folder, { recursive: true, force: true })
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw error
  }
}
