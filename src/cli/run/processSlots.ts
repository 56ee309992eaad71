import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ProcessIdentity } from '../../embedded/processIdentity.ts'
import { runHolder } from '../runHolder.ts'

/**
 * Each long-running command holds a folder in the data folder, with its lock and its report; here is which. The ingest of the market has one, and each
 * other ingest one of its own.
 * @param name of topic and producer, for an ingest that is not the market's
 */
export function ingestFolder(dataDir: string, name: string | null = null): string {
  return name === null ? join(resolve(dataDir), 'ingest') : join(resolve(dataDir), 'ingests', name)
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

/** What runs on a data folder: the pipeline, ingests, named workers. */
export function runningProcesses(dataDir: string): readonly RunningProcess[] {
  const ingests = join(resolve(dataDir), 'ingests')
  const workers = join(resolve(dataDir), 'workers')
  const several = [ingests, workers].flatMap((folder) => entriesOf(folder).map((name) => join(folder, name)))
  const folders = [resolve(dataDir), ingestFolder(dataDir), ...several]
  return folders.flatMap((folder) => {
    const holder = runHolder(folder)
    return holder === null ? [] : [{ folder, holder }]
  })
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    // None with a name has ever run here.
    return []
  }
}
