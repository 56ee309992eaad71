import { join, resolve } from 'node:path'
import { ConfigurationError } from '../runtime/errors.ts'
import { type HeldLock, tryLock } from './fileLock.ts'

/** Who holds a folder, and what else than waiting can be done about it, in words for the message. */
export interface LockWords {
  readonly what: string
  readonly otherwise: string
}

const pipelineWords: LockWords = {
  what: 'a pipeline',
  otherwise: 'choose another folder (--data-dir, or dataDir in the settings)',
}

/**
 * The right to run a pipeline on a data folder, for as long as this process lives or until it is released. A killed process
 * leaves nothing that blocks the next one. Throws `ConfigurationError` with the pid of who runs already.
 */
export function acquireRunLock(dataDir: string, { what, otherwise }: LockWords = pipelineWords): HeldLock {
  const path = join(resolve(dataDir), 'run.lock')
  const attempt = tryLock(path)
  if ('lock' in attempt) return attempt.lock
  const { pid, host } = attempt.holder
  throw new ConfigurationError(
    `${what} already runs on ${resolve(dataDir)}: process ${pid} on ${host}; ` +
      `stop it first, or ${otherwise} (if ${host} is gone for good, delete ${path})`,
  )
}
