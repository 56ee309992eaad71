import { existsSync, lstatSync, mkdirSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigurationError } from '../runtime/errors.ts'

/** Makes the folder, with those above it. Throws `ConfigurationError` that says what to do. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 })
  } catch (error) {
    throw folderError(path, error)
  }
}

/** Why a folder cannot be written, and what to do. */
export function folderError(path: string, cause: unknown): ConfigurationError {
  const { code } = cause as NodeJS.ErrnoException
  const obstacle = obstacleOn(path)
  if (obstacle !== null) {
    return new ConfigurationError(
      `cannot make the folder ${path}: ${obstacle}; choose another folder (--data-dir, MILLRACE_DATA_DIR)`,
      {
        cause,
      },
    )
  }
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'the disk is full: free some space'
      : 'give this account write access, or choose another folder'
  return new ConfigurationError(`cannot write to the folder ${path} (${code}); ${remedy}`, { cause })
}

/** What lies on the way to a folder and is none, in words, or null. */
function obstacleOn(path: string): string | null {
  const parents: string[] = []
  for (let at = path; ; at = dirname(at)) {
    parents.unshift(at)
    if (at === dirname(at)) break
  }
  for (const at of parents) {
    const found = lstatSync(at, { throwIfNoEntry: false })
    if (found === undefined) return null
    if (found.isFile()) return `${at} is a file`
    if (found.isSymbolicLink() && !existsSync(at)) return `${at} is a link to ${readlinkSync(at)}, which is not there`
  }
  return null
}
