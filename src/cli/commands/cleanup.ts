import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { bytesText } from '../../console/text.ts'
import { embeddedDatabase, endLeftServer } from '../../embedded/leftServer.ts'
import { notedCommands } from '../../host/commandNotes.ts'
import { runningProcesses } from '../../host/processSlots.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitFailure, exitOk } from '../exit.ts'

/** What Millrace makes in a data folder, in words. What else is in it is nobody's to delete. */
const kept: Readonly<Record<string, string>> = {
  postgres: 'the embedded database, with its log',
  archive: 'the archive of raw records',
  lake: 'the files of the lake',
  pipelines: 'locks and reports of pipelines',
  ingest: 'lock and report of the ingest',
  ingests: 'locks and reports of ingests',
  processes: 'notes of processes',
}

/** Deletes what is kept in the data folder, once somebody has said yes. */
export async function cleanup({ settings, output, isTerminal }: CommandContext): Promise<number> {
  const folder = resolve(settings.dataDir)
  const there = Object.keys(kept).filter((name) => existsSync(join(folder, name)))
  if (settings.databaseUrl !== undefined)
    output.err('The database of DATABASE_URL and buckets are left as they are: only the data folder is cleaned up.')
  if (there.length === 0) {
    output.err(`Nothing of Millrace is in ${folder}.`)
    return exitOk
  }
  requireIdle(settings.dataDir)
  const database = embeddedDatabase(settings.dataDir)
  const outside = database === null || database.cluster.startsWith(folder) ? null : dirname(database.cluster)
  const places = [
    ...there.map((name) => ({ path: join(folder, name), what: kept[name] ?? name })),
    ...(outside === null ? [] : [{ path: outside, what: 'files of the embedded database' }]),
  ]
  const lines = places.map(({ path, what }) => `  ${path}: ${what}, ${bytesText(sizeOf(path))}`)
  await output.out(`${[`Of ${folder}, for good:`, ...lines].join('\n')}\n`)
  if (!settings.yes && !(await isSaidYes(isTerminal))) {
    output.err('Nothing was deleted; --yes deletes it. `millrace backup` keeps a copy elsewhere.')
    return isTerminal ? exitOk : exitFailure
  }
  requireIdle(settings.dataDir)
  await endLeftServer(settings.dataDir)
  // The database last: as long as it is there, what is left of the rest can still be told apart.
  for (const { path } of [...places].reverse()) rmSync(path, { recursive: true, force: true })
  const left = existsSync(folder) ? readdirSync(folder) : []
  if (left.length === 0 && existsSync(folder)) rmdirSync(folder)
  await output.out(
    left.length === 0
      ? `${folder} is gone.\n`
      : `Deleted. Not made by Millrace, and still in ${folder}: ${left.join(', ')}.\n`,
  )
  return exitOk
}

function requireIdle(dataDir: string): void {
  const pids = new Set([...runningProcesses(dataDir), ...notedCommands(dataDir)].map(({ holder }) => holder.pid))
  const users = embeddedDatabase(dataDir)?.users ?? 0
  if (pids.size === 0 && users === 0) return
  throw new ConfigurationError(
    `${resolve(dataDir)} is in use${pids.size === 0 ? '' : ` by process ${[...pids].join(', ')}`}: stop that first (millrace stop).`,
  )
}

async function isSaidYes(isTerminal: boolean): Promise<boolean> {
  if (!isTerminal || process.stdin.isTTY !== true) return false
  const asked = createInterface({ input: process.stdin, output: process.stdout })
  const ended = new AbortController()
  asked.once('close', () => ended.abort())
  try {
    return (await asked.question('Type yes to delete it: ', { signal: ended.signal })).trim() === 'yes'
  } catch (error) {
    // Ctrl-C or the end of the input is no yes.
    if (ended.signal.aborted) return false
    throw error
  } finally {
    asked.close()
  }
}

function sizeOf(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
