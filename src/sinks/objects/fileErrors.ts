import { ConfigurationError, MillraceError, RetryableError } from '../../runtime/errors.ts'

/** Node's code of a system error (`ENOSPC`), or an empty text. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}

/**
 * What a human can do about a system error. Those not listed are waited out like the rest, with the system's own
 * words.
 */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space and it goes on by itself',
  EDQUOT: 'the disk quota is used up; free some space or raise it, and it goes on by itself',
  EACCES: 'permission denied; let this user read and write the directory, and it goes on by itself',
  EPERM: 'the system refuses it; let this user read and write the directory, and it goes on by itself',
  EROFS: 'the file system is mounted read-only; mount it writable, and it goes on by itself',
  EMFILE: 'this process has too many files open; raise its limit (ulimit -n)',
  ENFILE: 'the system has too many files open; raise its limit',
  EIO: 'the disk reports an input/output error; check the disk',
}

/** Problems that stay until somebody changes a setting or the layout on disk. */
const SETTINGS: Readonly<Record<string, string>> = {
  ENOTDIR: 'a part of the path is a file, not a directory; choose another directory or move that file',
  EEXIST: 'a file is where a directory has to be; choose another directory or move that file',
  EISDIR: 'there is a directory of that name; in a directory a key cannot also be the folder of another key',
  ENAMETOOLONG: 'the path is too long for this file system; choose a directory with a shorter path',
  ELOOP: 'the path has a circle of symbolic links; choose another directory',
}

/**
 * The system error as the error that says what the runner does about it. Errors that are ours already pass unchanged.
 */
export function fileError(what: string, error: unknown): Error {
  if (error instanceof MillraceError) return error
  const code = codeOf(error)
  if (code === '') return error instanceof Error ? error : new Error(String(error))
  const setting = SETTINGS[code]
  if (setting !== undefined) return new ConfigurationError(`${what}: ${setting} (${code})`, { cause: error })
  const remedy = REMEDIES[code] ?? (error instanceof Error ? error.message : 'unknown system error')
  return new RetryableError(`${what}: ${remedy} (${code})`, { cause: error })
}
