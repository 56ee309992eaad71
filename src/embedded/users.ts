import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError } from '../runtime/errors.ts'
import { keepAlive, silenceLimitMs } from './heartbeat.ts'
import type { Layout } from './layout.ts'
import { isRunning, isSeenFromHere, ownIdentity, type ProcessIdentity, parseIdentity } from './processIdentity.ts'

/** That this process uses the server. */
export interface UserNote {
  /** Takes it back. */
  remove(): void
}

/** Notes that this process uses the server, under a name of its own. Call while holding the folder's lock, like the others here. */
export function addUser(layout: Pick<Layout, 'users'>): UserNote {
  mkdirSync(layout.users, { recursive: true })
  const path = join(layout.users, `${process.pid}-${randomUUID().slice(0, 8)}.json`)
  writeFileSync(path, JSON.stringify(ownIdentity()))
  const stopBeating = keepAlive(path)
  return {
    remove() {
      stopBeating()
      rmSync(path, { force: true })
    },
  }
}

/** How many running users there are; notes of those that were killed are swept. */
export function countUsers(layout: Pick<Layout, 'users'>): number {
  return usersOf(layout).length
}

/**
 * Waits until nobody uses the folder's server whose processes cannot be seen from here: a second server on the same files would destroy them.
 * @throws ConfigurationError where somebody goes on doing so
 */
export async function awaitNoForeignUser(layout: Pick<Layout, 'users' | 'dataDir'>): Promise<void> {
  const deadline = performance.now() + silenceLimitMs + 1_000
  for (;;) {
    const foreign = usersOf(layout).find((user) => !isSeenFromHere(user))
    if (foreign === undefined) return
    if (!foreign.beats || performance.now() > deadline) {
      throw new ConfigurationError(
        `process ${foreign.pid} on ${foreign.host} uses the database of ${layout.dataDir} from another machine or container: a data folder is for one at a time. ` +
          `Stop it there, or choose another folder${foreign.beats ? '' : ` (if ${foreign.host} is gone for good, empty ${layout.users})`}`,
      )
    }
    await sleep(200)
  }
}

function usersOf(layout: Pick<Layout, 'users'>): readonly ProcessIdentity[] {
  mkdirSync(layout.users, { recursive: true })
  return readdirSync(layout.users).flatMap((name) => {
    const path = join(layout.users, name)
    const identity = parseIdentity(readFileSync(path, 'utf8'))
    if (identity !== null && isRunning(identity, path)) return identity
    rmSync(path, { force: true })
    return []
  })
}
