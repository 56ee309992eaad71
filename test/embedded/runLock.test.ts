import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { tryLock } from '../../src/embedded/fileLock.ts'
import { ownIdentity } from '../../src/embedded/processIdentity.ts'
import { acquireRunLock } from '../../src/embedded/runLock.ts'
import { runHolder } from '../../src/host/runHolder.ts'
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
      await expect(acquireRunLock(dataDir)).rejects.toThrow(ConfigurationError)
      await expect(acquireRunLock(dataDir)).rejects.toThrow(new RegExp(`process ${child.pid} `))
    } finally {
      await child.kill()
    }
  })

  it('is free again when the first one was killed', async () => {
    const child = await holder()
    await child.kill()
    ;(await acquireRunLock(dataDir)).release()
  })

  it('refuses within one process as well, until it is released', async () => {
    const lock = await acquireRunLock(dataDir)
    await expect(acquireRunLock(dataDir)).rejects.toThrow(`process ${process.pid} `)
    await expect(acquireRunLock(dataDir)).rejects.toThrow(
      'choose another folder (--data-dir, or dataDir in the settings)',
    )
    lock.release()
    ;(await acquireRunLock(dataDir)).release()
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

  it('is not kept by a stranger that has the dead pid now', async () => {
    const path = join(dataDir, 'run.lock')
    const holderOfOld = { ...ownIdentity(), startedAt: 'long ago' }
    writeFileSync(path, JSON.stringify({ holder: holderOfOld, nonce: 'old00000' }))
    ;(await acquireRunLock(dataDir)).release()
  })

  it('is free when a power cut left its file torn', async () => {
    writeFileSync(join(dataDir, 'run.lock'), '{"holder":{"pid"')
    ;(await acquireRunLock(dataDir)).release()
  })

  const ofAnotherHost = {
    ...ownIdentity(),
    pid: 1,
    host: `not ${hostname()}`,
    startedAt: 'some time',
    pidSpace: 'elsewhere',
  }
  const lockOf = (identity: object) =>
    writeFileSync(join(dataDir, 'run.lock'), JSON.stringify({ holder: identity, nonce: 'else0000' }))

  it('is not taken from a process of another host of which nobody here can tell whether it runs', async () => {
    const { beats: _beats, pidSpace: _pidSpace, ...old } = ofAnotherHost
    lockOf(old)
    await expect(acquireRunLock(dataDir)).rejects.toThrow(`not ${hostname()}`)
    await expect(acquireRunLock(dataDir)).rejects.toThrow('gone for good, delete')
  })

  it('is taken from a process of another host or container that has not been heard of for ten seconds', async () => {
    lockOf(ofAnotherHost)
    expect(runHolder(dataDir)).toMatchObject({ pid: 1 })
    const since = performance.now()
    ;(await acquireRunLock(dataDir)).release()
    expect(performance.now() - since).toBeGreaterThan(8_000)
    lockOf(ofAnotherHost)
    const past = new Date(Date.now() - 11_000)
    utimesSync(join(dataDir, 'run.lock'), past, past)
    expect(runHolder(dataDir)).toBe(null)
    ;(await acquireRunLock(dataDir)).release()
  }, 30_000)

  it('is not taken from a process of another host that is still heard of', async () => {
    lockOf(ofAnotherHost)
    const beating = setInterval(() => utimesSync(join(dataDir, 'run.lock'), new Date(), new Date()), 500)
    onTestFinished(() => clearInterval(beating))
    await expect(acquireRunLock(dataDir)).rejects.toThrow(
      /process 1 on not .*; stop it first, or choose another folder/,
    )
  }, 30_000)

  it('is free at once where only the name of the host has changed since its holder was killed', async () => {
    lockOf({ ...ownIdentity(), host: `not ${hostname()}`, startedAt: 'long ago' })
    const since = performance.now()
    ;(await acquireRunLock(dataDir)).release()
    expect(performance.now() - since).toBeLessThan(2_000)
    lockOf({ ...ownIdentity(), host: `not ${hostname()}` })
    await expect(acquireRunLock(dataDir)).rejects.toThrow(`process ${process.pid}`)
  })

  it('is heard of as long as it is held', async () => {
    const lock = await acquireRunLock(dataDir)
    const path = join(dataDir, 'run.lock')
    const past = new Date(Date.now() - 60_000)
    utimesSync(path, past, past)
    await sleep(2_500)
    expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(2_500)
    lock.release()
  })

  it('released late does not take away the lock of the next holder', async () => {
    const path = join(dataDir, 'run.lock')
    const first = await acquireRunLock(dataDir)
    rmSync(path)
    await acquireRunLock(dataDir)
    first.release()
    expect(tryLock(path)).toHaveProperty('holder')
    expect(readFileSync(path, 'utf8')).toContain(String(process.pid))
  })
})
