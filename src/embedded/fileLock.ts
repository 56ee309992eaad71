import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../runtime/errors.ts'
import { folderError, makeFolder } from './folder.ts'
import { keepAlive, silentMs } from './heartbeat.ts'
import { isRunning, ownIdentity, type ProcessIdentity, parseIdentity } from './processIdentity.ts'
import { createWhole } from './wholeFile.ts'

export interface HeldLock {
  release(): void
}

/** Either the lock, or who has it. */
export type LockAttempt = { readonly lock: HeldLock } | { readonly holder: ProcessIdentity }

const tornForMs = 1_000
const tornPauseMs = 10
const pause = new Int32Array(new SharedArrayBuffer(4))

interface LockFile {
  readonly holder: ProcessIdentity
  /** Tells two holdings apart, also those of one process. */
  readonly nonce: string
}

/**
 * Takes the lock that a file stands for, unless a running process has it. What a killed process left behind is taken over.
 *
 * A takeover is safe in a race: only who holds a second lock, named after the very holding that died, may replace its file.
 */
export function tryLock(path: string): LockAttempt {
  const mine: LockFile = { holder: ownIdentity(), nonce: randomUUID() }
  const draft = `${path}.${mine.nonce}.new`
  makeFolder(dirname(path))
  writeDraft(draft, mine)
  try {
    for (;;) {
      if (createWhole(draft, path)) return { lock: heldLock(path, mine) }
      const found = readLock(path)
      if (found === null) continue
      if (found === 'torn' && silentMs(path) < tornForMs) {
        Atomics.wait(pause, 0, 0, tornPauseMs)
        continue
      }
      if (found !== 'torn' && isRunning(found.holder, path)) return { holder: found.holder }
      const nonce = nonceOf(found)
      const takeover = tryLock(`${path}.${nonce.slice(0, 8)}`)
      if ('holder' in takeover) return takeover
      try {
        if (nonceOf(readLock(path)) !== nonce) continue
        renameSync(draft, path)
        return { lock: heldLock(path, mine) }
      } finally {
        takeover.lock.release()
      }
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** After so long, whoever waits for a lock is told for whom. */
const tellAfterMs = 3_000

/**
 * Runs `action` while holding the lock; waits for a holder that runs, at most `timeoutMs`.
 * @param onWait told once whom it waits for, where that takes a while
 */
export async function withFileLock<T>(
  path: string,
  timeoutMs: number,
  action: () => Promise<T>,
  onWait: (holder: ProcessIdentity) => void = () => {},
): Promise<T> {
  const startedAt = performance.now()
  const deadline = startedAt + timeoutMs
  let isTold = false
  for (;;) {
    const attempt = tryLock(path)
    if ('lock' in attempt) {
      try {
        return await action()
      } finally {
        attempt.lock.release()
      }
    }
    if (performance.now() > deadline) {
      throw new RetryableError(
        `${path} has been held by process ${attempt.holder.pid} on ${attempt.holder.host} for more than ${timeoutMs} ms; ` +
          'if that process does nothing, end it and try again',
      )
    }
    if (!isTold && performance.now() - startedAt > tellAfterMs) {
      isTold = true
      onWait(attempt.holder)
    }
    await sleep(20)
  }
}

function writeDraft(draft: string, content: LockFile): void {
  try {
    writeFileSync(draft, JSON.stringify(content))
  } catch (error) {
    throw folderError(dirname(draft), error)
  }
}

function heldLock(path: string, mine: LockFile): HeldLock {
  const stopBeating = keepAlive(path)
  return {
    release() {
      stopBeating()
      if (nonceOf(readLock(path)) === mine.nonce) rmSync(path, { force: true })
    },
  }
}

function nonceOf(found: LockFile | 'torn' | null): string {
  return found === 'torn' ? 'torn0000' : (found?.nonce ?? '')
}

/** A file that a power cut left empty or torn has no holder that could still run, once it is older than one that is being written. */
function readLock(path: string): LockFile | 'torn' | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const value = JSON.parse(text) as { holder?: unknown; nonce?: unknown }
    const holder = parseIdentity(JSON.stringify(value.holder ?? null))
    return holder === null || typeof value.nonce !== 'string' ? 'torn' : { holder, nonce: value.nonce }
  } catch {
    return 'torn'
  }
}
