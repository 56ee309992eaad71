import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { keepAlive } from '../embedded/heartbeat.ts'
import { isRunning, ownIdentity, type ProcessIdentity, parseIdentity } from '../embedded/processIdentity.ts'

/** A command that runs on a data folder until it is stopped. */
export interface NotedCommand {
  /** As it is typed, without what follows: `monitor`. */
  readonly command: string
  readonly holder: ProcessIdentity
}

/** Of the data folder. */
const folderOf = (dataDir: string) => join(resolve(dataDir), 'processes')

/** By then a command that was called wrongly has ended, and need not have made a folder. */
const folderMadeAfterMs = 2_000

/**
 * Notes that this process runs a command on the data folder, so that `millrace stop` finds it, also one that holds no lock there. A folder that is not there is made a little later.
 * @returns what takes the note back
 */
export function noteCommand(dataDir: string, command: string): () => void {
  const path = join(folderOf(dataDir), `${process.pid}-${randomUUID().slice(0, 8)}.json`)
  let takeBack = () => {}
  const write = () => {
    try {
      mkdirSync(folderOf(dataDir), { recursive: true })
      writeFileSync(path, JSON.stringify({ command, holder: ownIdentity() }))
      const stopBeating = keepAlive(path)
      takeBack = () => {
        stopBeating()
        rmSync(path, { force: true })
      }
    } catch {
      // A folder that cannot be written is found out, and told, by what needs it; a command that only listens does without.
    }
  }
  const later = existsSync(resolve(dataDir)) ? null : setTimeout(write, folderMadeAfterMs).unref()
  if (later === null) write()
  return () => {
    if (later !== null) clearTimeout(later)
    takeBack()
  }
}

/** The commands that run on the data folder. Notes of those that were killed are swept. */
export function notedCommands(dataDir: string): readonly NotedCommand[] {
  const folder = folderOf(dataDir)
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name)
    const noted = parseNote(path)
    if (noted !== null && isRunning(noted.holder, path)) return [noted]
    rmSync(path, { force: true })
    return []
  })
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Nothing has ever run here.
    return []
  }
}

function parseNote(path: string): NotedCommand | null {
  try {
    const { command, holder } = JSON.parse(readFileSync(path, 'utf8')) as { command?: unknown; holder?: unknown }
    const identity = parseIdentity(JSON.stringify(holder ?? null))
    return identity === null || typeof command !== 'string' ? null : { command, holder: identity }
  } catch {
    // Gone meanwhile, or torn by a power cut.
    return null
  }
}
