import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tryLock, withFileLock } from '../../src/embedded/fileLock.ts'
import type { ProcessIdentity } from '../../src/embedded/processIdentity.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('who waits long for a lock hears once of whoever holds it', async () => {
  const path = join(folder, 'lock')
  const held = tryLock(path)
  if (!('lock' in held)) throw new Error('nobody else should hold it')
  const told: ProcessIdentity[] = []
  const waiting = withFileLock(
    path,
    60_000,
    async () => 'mine',
    (holder) => told.push(holder),
  )
  await new Promise((resolve) => setTimeout(resolve, 3_500))
  held.lock.release()
  expect(await waiting).toBe('mine')
  expect(told.map(({ pid }) => pid)).toEqual([process.pid])
})
