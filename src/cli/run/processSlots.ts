import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ProcessIdentity } from '../../embedded/processIdentity.ts'
import { runHolder } from '../runHolder.ts'

/** Each long-running command holds a folder in the data folder, with its lock and its report; here is which. */
export function ingestFolder(dataDir: string): string {
  return join(resolve(dataDir), 'ingest')
}

/**
 * Without a worker id the data folder itself, so that two runs by mistake are found out; with one a folder of the worker's own, for several on one
 * machine.
 */
export function runFolder(dataDir: string, workerId: string | undefined): string {
  return workerId === undefined ? resolve(dataDir) : join(resolve(dataDir), 'workers', workerId)
}

export interface RunningProcess {
  readonly folder: string
  readonly holder: ProcessIdentity
}

/** What runs on a data folder: the pipeline, an ingest, named workers. */
export function runningProcesses(dataDir: string): readonly RunningProcess[] {
  const workers = join(resolve(dataDir), 'workers')
  const folders = [resolve(dataDir), ingestFolder(dataDir), ...entriesOf(workers).map((name) => join(workers, name))]
  return folders.flatMap((folder) => {
    const holder = runHolder(folder)
    return holder === null ? [] : [{ folder, holder }]
  })
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    // No named worker has ever run here.
    return []
  }
}
