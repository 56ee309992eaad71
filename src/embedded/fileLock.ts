import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../runtime/errors.ts'
import { folderError, makeFolder } from './folder.ts'
import { isRunning, ownIdentity, type ProcessIdentity, parseIdentity } from './processIdentity.ts'

export interface HeldLock {
  release(): void
}

/** Either the lock, or who has it. */
export type LockAttempt = { readonly lock: HeldLock } | { readonly holder: ProcessIdentity }

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
      if (linked(draft, path)) return { lock: heldLock(path, mine) }
      const found = readLock(path)
      if (found === null) continue
      if (isRunning(found.holder)) return { holder: found.holder }
      const takeover = tryLock(`${path}.${found.nonce.slice(0, 8)}`)
      if ('holder' in takeover) return takeover
      try {
        if (readLock(path)?.nonce !== found.nonce) continue
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
  return {
    release() {
      if (readLock(path)?.nonce === mine.nonce) rmSync(path, { force: true })
    },
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

// A file that a power cut left empty or torn has no holder that could still run.
function readLock(path: string): LockFile | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const nobody: LockFile = { holder: { pid: -1, host: ownIdentity().host, startedAt: '' }, nonce: 'torn0000' }
  try {
    const value = JSON.parse(text) as { holder?: unknown; nonce?: unknown }
    const holder = parseIdentity(JSON.stringify(value.holder ?? null))
    return holder === null || typeof value.nonce !== 'string' ? nobody : { holder, nonce: value.nonce }
  } catch {
    return nobody
  }
}
