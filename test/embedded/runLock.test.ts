import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tryLock } from '../../src/embedded/fileLock.ts'
import { isRunning, ownIdentity } from '../../src/embedded/processIdentity.ts'
import { acquireRunLock } from '../../src/embedded/runLock.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { runChild } from '../support/childProcess.ts'

describe('acquireRunLock', () => {
  let dataDir: string

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

  const holder = async () => {
    const child = runChild(new URL('./holder.ts', import.meta.url), [dataDir, 'lock'])
    await child.firstLine()
    return child
  }

  it('refuses a second pipeline on the folder and names the pid of the first', async () => {
    const child = await holder()
    try {
      expect(() => acquireRunLock(dataDir)).toThrow(ConfigurationError)
      expect(() => acquireRunLock(dataDir)).toThrow(new RegExp(`process ${child.pid} `))
    } finally {
      await child.kill()
    }
  })

  it('is free again when the first one was killed', async () => {
    const child = await holder()
    await child.kill()
    acquireRunLock(dataDir).release()
  })

  it('refuses within one process as well, until it is released', () => {
    const lock = acquireRunLock(dataDir)
    expect(() => acquireRunLock(dataDir)).toThrow(`process ${process.pid} `)
    expect(() => acquireRunLock(dataDir)).toThrow('choose another folder (--data-dir, or dataDir in the settings)')
    lock.release()
    acquireRunLock(dataDir).release()
    expect(readdirSync(dataDir)).toEqual([])
  })

  it('goes to one of many that find a dead holder, and leaves no other file', async () => {
    for (let round = 0; round < 3; round += 1) {
      const dead = await holder()
      await dead.kill()
      const children = Array.from({ length: 6 }, () =>
        runChild(new URL('./holder.ts', import.meta.url), [dataDir, 'lock']),
      )
      const outcomes = await Promise.allSettled(children.map((child) => child.firstLine()))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      await Promise.all(children.map((child) => child.kill()))
      expect(readdirSync(dataDir)).toEqual(['run.lock'])
    }
  })

  it('is not kept by a stranger that has the dead pid now', () => {
    const path = join(dataDir, 'run.lock')
    const holderOfOld = { ...ownIdentity(), startedAt: 'long ago' }
    writeFileSync(path, JSON.stringify({ holder: holderOfOld, nonce: 'old00000' }))
    acquireRunLock(dataDir).release()
  })

  it('is free when a power cut left its file torn', () => {
    writeFileSync(join(dataDir, 'run.lock'), '{"holder":{"pid"')
    acquireRunLock(dataDir).release()
  })

  it('is not taken from a process of another host, because nobody here can tell whether it runs', () => {
    const identity = { pid: 1, host: `not ${hostname()}`, startedAt: 'some time' }
    expect(isRunning(identity)).toBe(true)
    writeFileSync(join(dataDir, 'run.lock'), JSON.stringify({ holder: identity, nonce: 'else0000' }))
    expect(() => acquireRunLock(dataDir)).toThrow(`not ${hostname()}`)
  })

  it('released late does not take away the lock of the next holder', () => {
    const path = join(dataDir, 'run.lock')
    const first = acquireRunLock(dataDir)
    rmSync(path)
    acquireRunLock(dataDir)
    first.release()
    expect(tryLock(path)).toHaveProperty('holder')
    expect(readFileSync(path, 'utf8')).toContain(String(process.pid))
  })
})
