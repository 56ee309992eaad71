import { mkdirSync } from 'node:fs'
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
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'the disk is full: free some space'
      : 'give this account write access, or choose another folder'
  return new ConfigurationError(`cannot write to the folder ${path} (${code}); ${remedy}`, { cause })
}
