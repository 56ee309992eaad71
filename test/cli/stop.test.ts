import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { isPidRunning } from '../../src/embedded/processIdentity.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-stop-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const place = { cwd: folder, databases: await emptyDatabases() }
const realtime = ['run', 'realtime', '--source', 'simulator', '--symbols', 'AAAUSDT', '--no-tty', '--no-console']
const millrace = (...args: readonly string[]) => runCommand(args, place)

describe('stop and cleanup', { timeout: 120_000 }, () => {
  test('stop ends all that runs on the data folder, in order, and says what', async () => {
    const run = startCommand(realtime, place)
    await run.seen(/First candle after/)
    const monitor = startCommand(['monitor', '--metrics-port', '0'], place)
    await monitor.seen(/Metrics: /)
    const console_ = startCommand(['console', '--console-port', '0'], place)
    await console_.seen(/http:\/\//)
    const busy = await millrace('cleanup', '--yes')
    expect(busy).toMatchObject({ code: 2, stderr: expect.stringContaining(String(run.process.pid)) })

    const stopped = await millrace('stop')
    expect(stopped, stopped.stderr).toMatchObject({ code: 0 })
    for (const [what, { process }] of [
      ['run realtime (pipelines/realtime)', run],
      ['monitor', monitor],
      ['console', console_],
    ] as const)
      expect(stopped.stdout).toContain(`Stopped ${what} (process ${process.pid}) after `)
    for (const one of [run, monitor, console_]) expect(await one.ended).toMatchObject({ code: 0 })
    expect((await run.ended).stdout).toContain('Stopped cleanly')
    expect(await millrace('stop')).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing runs on ') })
  })

  test('stop ends the database that a killed run has left', async () => {
    const run = startCommand(realtime, place)
    await run.seen(/First candle after/)
    run.process.kill('SIGKILL')
    await run.ended
    const stopped = await millrace('stop')
    const [, pid] = /Stopped the embedded database \(process (\d+)\)/.exec(stopped.stdout) ?? []
    expect(isPidRunning(Number(pid))).toBe(false)
  })

  test('stop says which does not end in time, and gives 1', async () => {
    const run = startCommand(realtime, place)
    await run.seen(/First candle after/)
    run.process.kill('SIGSTOP')
    const stopped = await millrace('stop', '--wait', '1')
    expect(stopped).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`(process ${run.process.pid}) has not stopped within 1 s`),
    })
    run.process.kill('SIGCONT')
    expect(await run.ended).toMatchObject({ code: 0 })
  })

  test('cleanup asks first, deletes what Millrace has made and nothing else', async () => {
    const kept = join(folder, '.millrace', 'notes.txt')
    writeFileSync(kept, 'mine')
    const asked = await millrace('cleanup')
    expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing was deleted') })
    expect(asked.stdout).toMatch(/postgres: the embedded database, with its log, \d/)
    expect(existsSync(join(folder, '.millrace', 'postgres', 'password'))).toBe(true)
    const done = await millrace('cleanup', '--yes')
    expect(done, done.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('notes.txt') })
    expect(readdirSync(join(folder, '.millrace'))).toEqual(['notes.txt'])
    rmSync(kept)
    expect(await millrace('cleanup', '--yes')).toMatchObject({ code: 0 })
    // A new start begins with nothing.
    const run = startCommand(realtime, place)
    await run.seen(/First candle after/)
    run.process.kill('SIGTERM')
    expect(await run.ended).toMatchObject({ code: 0 })
  })
})
