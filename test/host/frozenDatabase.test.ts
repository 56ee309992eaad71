import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { isPidRunning } from '../../src/embedded/processIdentity.ts'
import { type RunningCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'

const databases = await emptyDatabases()

describe.skipIf(process.platform !== 'linux')('a database that was frozen', { timeout: 120_000 }, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-frozen-'))
    chmodSync(folder, 0o755)
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** The server of a data folder and its children. */
  const processesOf = (dataDir: string) => {
    const cluster = join(dataDir, 'postgres', 'data')
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        try {
          return readlinkSync(`/proc/${pid}/cwd`) === cluster
        } catch {
          return false
        }
      })
  }
  const signalAll = (pids: readonly number[], signal: NodeJS.Signals) => {
    for (const pid of pids) if (isPidRunning(pid)) process.kill(pid, signal)
  }
  const run = (dataDir: string, env: Readonly<Record<string, string>> = {}): RunningCommand => {
    const command = startCommand(['run', 'realtime', '--source', 'simulator'], {
      cwd: folder,
      databases,
      env: { MILLRACE_DATA_DIR: dataDir, MILLRACE_TTY: 'false', ...env },
    })
    onTestFinished(() => void command.process.kill('SIGKILL'))
    return command
  }

  test('of the data folder ends with the run, and the next run goes on', async () => {
    const dataDir = join(folder, 'data')
    const first = run(dataDir)
    await first.seen(/^First candle after/m)
    const frozen = processesOf(dataDir)
    expect(frozen.length).toBeGreaterThan(3)
    signalAll(frozen, 'SIGSTOP')
    onTestFinished(() => signalAll(frozen, 'SIGCONT'))
    await sleep(2_000)
    const since = performance.now()
    first.process.kill('SIGTERM')
    const ended = await first.ended
    expect(performance.now() - since).toBeLessThan(30_000)
    expect(ended.stdout).toMatch(/PostgreSQL has not answered for 10 s: stopping without it/)
    expect(processesOf(dataDir)).toEqual([])
    const second = run(dataDir)
    await second.seen(/^First candle after/m)
    second.process.kill('SIGTERM')
    expect(await second.ended).toMatchObject({ code: 0 })
  })

  test('of somebody else keeps no stop waiting', async () => {
    databases.layInto(join(folder, 'server'))
    const server = await startOrJoin(join(folder, 'server'))
    onTestFinished(() => server.stop())
    const { user, password, host, port, database } = server.connection
    const dataDir = join(folder, 'data')
    const first = run(dataDir, { DATABASE_URL: `postgres://${user}:${password}@${host}:${port}/${database}` })
    await first.seen(/^First candle after/m)
    const frozen = processesOf(join(folder, 'server'))
    signalAll(frozen, 'SIGSTOP')
    onTestFinished(() => signalAll(frozen, 'SIGCONT'))
    const since = performance.now()
    first.process.kill('SIGTERM')
    const { stdout } = await first.ended
    expect(performance.now() - since).toBeLessThan(30_000)
    expect(stdout).toMatch(/PostgreSQL has not answered for 10 s: stopping without it/)
    signalAll(frozen, 'SIGCONT')
  })

  test('keeps the stop of an ingest waiting no longer', async () => {
    const dataDir = join(folder, 'data')
    const ingest = startCommand(['ingest', '--source', 'simulator'], {
      cwd: folder,
      databases,
      env: { MILLRACE_DATA_DIR: dataDir, MILLRACE_TTY: 'false' },
    })
    onTestFinished(() => void ingest.process.kill('SIGKILL'))
    await ingest.seen(/^[1-9]\S* records in the log/m)
    const frozen = processesOf(dataDir)
    signalAll(frozen, 'SIGSTOP')
    onTestFinished(() => signalAll(frozen, 'SIGCONT'))
    const since = performance.now()
    ingest.process.kill('SIGTERM')
    const { stdout } = await ingest.ended
    expect(performance.now() - since).toBeLessThan(30_000)
    expect(stdout).toMatch(/PostgreSQL has not answered for 10 s: stopping without it/)
    expect(processesOf(dataDir)).toEqual([])
  })

  test.each(['SIGHUP', 'SIGTERM', 'SIGINT'] as const)(
    '%s ends a run and the server that it started',
    async (signal) => {
      const dataDir = join(folder, 'data')
      const command = run(dataDir)
      await command.seen(/^First candle after/m)
      const pid = Number(readFileSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
      command.process.kill(signal)
      expect(await command.ended).toMatchObject({ code: 0 })
      expect(isPidRunning(pid)).toBe(false)
    },
  )

  test.each(['SIGQUIT', 'SIGUSR2'] as const)(
    '%s ends a run at once, and the server that it started',
    async (signal) => {
      const dataDir = join(folder, 'data')
      const command = run(dataDir)
      await command.seen(/^First candle after/m)
      const pid = Number(readFileSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
      command.process.kill(signal)
      expect(await command.ended).toMatchObject({ signal: null, code: signal === 'SIGQUIT' ? 131 : 140 })
      await expect.poll(() => isPidRunning(pid), { timeout: 20_000 }).toBe(false)
    },
  )

  test.each(['SIGHUP', 'SIGTERM', 'SIGQUIT'] as const)(
    '%s in the middle of a short command ends the server, too',
    async (signal) => {
      const dataDir = join(folder, 'data')
      const command = startCommand(['migrate'], { cwd: folder, databases, env: { MILLRACE_DATA_DIR: dataDir } })
      const pidFile = join(dataDir, 'postgres', 'data', 'postmaster.pid')
      await expect.poll(() => existsSync(pidFile), { timeout: 60_000, interval: 5 }).toBe(true)
      const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
      command.process.kill(signal)
      await command.ended
      await expect.poll(() => isPidRunning(pid), { timeout: 20_000 }).toBe(false)
    },
  )
})
