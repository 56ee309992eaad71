import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isRunning, type ProcessIdentity, parseIdentity } from '../embedded/processIdentity.ts'

/** The process that runs a pipeline on the data folder, or null. */
export function runHolder(dataDir: string): ProcessIdentity | null {
  try {
    const path = join(resolve(dataDir), 'run.lock')
    const file: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const holder = typeof file === 'object' && file !== null && 'holder' in file ? file.holder : null
    const identity = parseIdentity(JSON.stringify(holder))
    return identity !== null && isRunning(identity, path) ? identity : null
  } catch {
    // No file, or a torn one: nobody holds it, and the next run takes it over.
    return null
  }
}
