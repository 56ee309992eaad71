import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { tryLock } from '../../src/embedded/fileLock.ts'

// No file system of a test machine is without hard links; what one says is said in its place.
vi.mock('node:fs', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:fs')>()),
  linkSync: () => {
    throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' })
  },
}))

test('a lock is one holder’s, and goes to the next, where the file system has no hard links', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-unlinked-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'lock')
  const first = tryLock(path)
  expect(first).toHaveProperty('lock')
  expect(tryLock(path)).toMatchObject({ holder: { pid: process.pid } })
  if ('lock' in first) first.lock.release()
  const second = tryLock(path)
  expect(second).toHaveProperty('lock')
  if ('lock' in second) second.lock.release()
  expect(readdirSync(folder)).toEqual([])
})
