import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError } from '../runtime/errors.ts'
import { type HeldLock, tryLock } from './fileLock.ts'
import { silenceLimitMs } from './heartbeat.ts'
import { isSeenFromHere } from './processIdentity.ts'

/** Who holds a folder, and what else than waiting can be done about it, in words for the message. */
export interface LockWords {
  readonly what: string
  readonly otherwise: string
}

const pipelineWords: LockWords = {
  what: 'a pipeline',
  otherwise: 'choose another folder (--data-dir, or dataDir in the settings)',
}

const pauseMs = 200

/**
 * The right to run a pipeline on a data folder, for as long as this process lives or until it is released. A killed process
 * leaves nothing that blocks the next one; where it was in another container or on another machine, it takes ten seconds to be sure that it is
 * gone. Throws `ConfigurationError` with the pid of who runs already.
 */
export async function acquireRunLock(
  dataDir: string,
  { what, otherwise }: LockWords = pipelineWords,
): Promise<HeldLock> {
  const path = join(resolve(dataDir), 'run.lock')
  const deadline = performance.now() + silenceLimitMs + 5 * pauseMs
  for (;;) {
    const attempt = tryLock(path)
    if ('lock' in attempt) return attempt.lock
    const { holder } = attempt
    const isAway = !isSeenFromHere(holder)
    if (!isAway || !holder.beats || performance.now() > deadline) {
      const { pid, host } = holder
      throw new ConfigurationError(
        `${what} already runs on ${resolve(dataDir)}: process ${pid} on ${host}; stop it first, or ${otherwise}` +
          (isAway && !holder.beats ? ` (if ${host} is gone for good, delete ${path})` : ''),
      )
    }
    await sleep(pauseMs)
  }
}
