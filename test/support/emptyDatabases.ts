import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { sweepForsakenClusters } from '../../src/embedded/forsakenClusters.ts'
import { prepareLayout } from '../../src/embedded/layout.ts'
import { madeOnce } from './madeOnce.ts'

/** Data folders with an empty database in them, as a first start leaves it. */
export interface EmptyDatabases {
  /** Lays one into the data folder unless there is one. It takes a tenth of what a first start takes, which those tests begin with that are about it. */
  layInto(dataDir: string): void
}

export async function emptyDatabases(): Promise<EmptyDatabases> {
  const made = await madeOnce('database', ['src/embedded', 'package-lock.json'], makeDatabase)
  // As a first start does it.
  await sweepForsakenClusters()
  return {
    layInto(dataDir) {
      if (existsSync(join(dataDir, 'postgres'))) return
      const { cluster, password, superuser } = prepareLayout(dataDir, () => undefined)
      copy(join(made, 'password'), password)
      copy(join(made, 'superuser'), superuser)
      // Last, as it is at a first start: who finds it takes the rest for granted.
      copy(join(made, 'cluster'), cluster)
    },
  }
}

async function makeDatabase(folder: string): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-made-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(dataDir, 0o755)
  try {
    const server = await startOrJoin(dataDir)
    await server.stop()
    const { cluster, password, superuser } = prepareLayout(dataDir, () => undefined)
    copy(cluster, join(folder, 'cluster'))
    copy(password, join(folder, 'password'))
    copy(superuser, join(folder, 'superuser'))
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** With owners and modes, which PostgreSQL insists on. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}
