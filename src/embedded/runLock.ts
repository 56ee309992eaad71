import { join, resolve } from 'node:path'
import { ConfigurationError } from '../runtime/errors.ts'
import { type HeldLock, tryLock } from './fileLock.ts'

/**
 * The right to run a pipeline on a data folder, for as long as this process lives or until it is released. A killed process
 * leaves nothing that blocks the next one. Throws `ConfigurationError` with the pid of the pipeline that runs already.
 */
export function acquireRunLock(dataDir: string): HeldLock {
  const path = join(resolve(dataDir), 'run.lock')
  const attempt = tryLock(path)
  if ('lock' in attempt) return attempt.lock
  const { pid, host } = attempt.holder
  throw new ConfigurationError(
    `a pipeline already runs on ${resolve(dataDir)}: process ${pid} on ${host}; ` +
      `stop it first, or choose another folder with --data-dir (if ${host} is gone for good, delete ${path})`,
  )
}
