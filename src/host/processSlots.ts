import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ProcessIdentity } from '../embedded/processIdentity.ts'
import { runHolder } from './runHolder.ts'

/**
 * Each long-running command holds a folder in the data folder, with its lock and its report; here is which. Each ingest has one of its own.
 * @param name of topic and producer; null for the ingest that runs without one
 */
export function ingestFolder(dataDir: string, name: string | null = null): string {
  return name === null ? join(resolve(dataDir), 'ingest') : join(resolve(dataDir), 'ingests', name)
}

/**
 * A folder of the pipeline's own, so that several pipelines may run on one data folder and one that is started twice by mistake is found out; with a worker id one
 * of the worker's own, for several on one machine.
 */
export function runFolder(dataDir: string, pipeline: string, workerId: string | undefined): string {
  const own = join(resolve(dataDir), 'pipelines', pipeline)
  return workerId === undefined ? own : join(own, 'workers', workerId)
}

/** A process that runs, and the folder that it holds. */
export interface RunningProcess {
  readonly folder: string
  readonly holder: ProcessIdentity
}

/** What runs on a data folder: pipelines, their named workers, ingests. */
export function runningProcesses(dataDir: string): readonly RunningProcess[] {
  const pipelines = foldersIn(join(resolve(dataDir), 'pipelines'))
  const workers = pipelines.flatMap((folder) => foldersIn(join(folder, 'workers')))
  const ingests = foldersIn(join(resolve(dataDir), 'ingests'))
  return [...pipelines, ...workers, ingestFolder(dataDir), ...ingests].flatMap((folder) => {
    const holder = runHolder(folder)
    return holder === null ? [] : [{ folder, holder }]
  })
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
  } catch {
    // Nothing of the kind has ever run here.
    return []
  }
}
