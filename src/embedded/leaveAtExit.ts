import { tryLock } from './fileLock.ts'
import type { Layout } from './layout.ts'
import { findServer } from './serverProcess.ts'
import { countUsers, type UserNote } from './users.ts'

/** So long another process may be at it before the server is left to that one. */
const lockWaitMs = 500
const lockPauseMs = 10

/**
 * Has the server end with this process where that ends without letting go of it (`process.exit`, an error that nobody caught), unless others use it.
 * @param note gives what `addUser` gave, once it has
 * @returns to be called when this process has let go in order
 */
export function leaveAtExit(layout: Layout, note: () => UserNote | null): () => void {
  const leave = () => {
    const release = lockFor(layout)
    note()?.remove()
    const server = countUsers(layout) === 0 ? findServer(layout) : null
    // It ends by itself from here; nobody is left to wait for it.
    if (server !== null) process.kill(server.pid, 'SIGINT')
    release()
  }
  process.on('exit', leave)
  return () => process.off('exit', leave)
}

/** Nothing may wait for a promise while a process exits. */
function lockFor(layout: Layout): () => void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let waitedMs = 0; waitedMs < lockWaitMs; waitedMs += lockPauseMs) {
    const attempt = tryLock(layout.lock)
    if ('lock' in attempt) return () => attempt.lock.release()
    // This very process, in the middle of a start or a stop.
    if (attempt.holder.pid === process.pid) break
    Atomics.wait(pause, 0, 0, lockPauseMs)
  }
  return () => undefined
}
