import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { doctorText } from '../../src/cli/commands/doctor.ts'
import { checkDisk, checkFolder, checkNode, checkPorts, checkRun } from '../../src/cli/doctorChecks.ts'
import type { SettingValues } from '../../src/cli/settings.ts'
import { acquireRunLock } from '../../src/embedded/runLock.ts'
import { runFolder } from '../../src/host/processSlots.ts'
import { RunReporter } from '../../src/host/runReport.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-doctor-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('doctor', () => {
  test('an old Node fails with what to do, a new one passes', async () => {
    expect(await checkNode('20.20.2')).toMatchObject({ level: 'fail', remedy: expect.stringContaining('22.18') })
    expect(await checkNode('22.17.9')).toMatchObject({ level: 'fail' })
    for (const version of ['22.18.0', '24.0.0', '26.10.0'])
      expect(await checkNode(version)).toMatchObject({ level: 'ok' })
  })

  test('a folder that is not there yet passes when it can be made', async () => {
    expect(await checkFolder(join(folder, 'a', 'b'))).toMatchObject({
      level: 'ok',
      found: expect.stringContaining('made'),
    })
    expect(await checkFolder(folder)).toMatchObject({ level: 'ok' })
  })

  test('a file where the folder should be fails', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, '')
    expect(await checkFolder(path)).toMatchObject({ level: 'fail' })
    expect(await checkFolder(join(path, 'below'))).toMatchObject({ level: 'fail' })
  })

  test('little free disk warns, hardly any fails', async () => {
    const levels = [5e9, 1e9, 1e8].map(async (free) => (await checkDisk(folder, async () => free)).level)
    expect(await Promise.all(levels)).toEqual(['ok', 'warn', 'fail'])
  })

  test('what runs on the data folder is found wherever it has its lock, and is a warning where it is silent', async () => {
    const dataDir = join(folder, 'running')
    const settings = { dataDir, maxSilence: 15 } as SettingValues
    expect(await checkRun(settings)).toMatchObject({ level: 'ok', found: 'none runs on this data folder' })
    const place = runFolder(dataDir, 'realtime', undefined)
    const lock = await acquireRunLock(place)
    const reporter = new RunReporter(place, 'test')
    reporter.write({ records: 0, recordsPerS: 0, waitingFor: null }, Date.now())
    expect(await checkRun(settings)).toMatchObject({
      level: 'ok',
      found: expect.stringContaining(`pipelines/realtime in process ${process.pid} `),
    })
    reporter.write({ records: 0, recordsPerS: 0, waitingFor: null }, Date.now() - 60_000)
    expect(await checkRun(settings)).toMatchObject({ level: 'warn', remedy: expect.stringContaining('kill -KILL') })
    lock.release()
  })

  test('ports on the loopback address can be opened here', async () => {
    expect(await checkPorts()).toMatchObject({ level: 'ok' })
  })

  test('the verdict counts what is to be fixed', () => {
    const lines = doctorText([
      { name: 'a', level: 'ok', found: 'fine', remedy: null },
      { name: 'bb', level: 'fail', found: 'broken', remedy: 'mend it' },
    ])
    expect(lines).toEqual([
      'ok    a   fine',
      'fail  bb  broken',
      '          mend it',
      '',
      '1 to fix before it can run.',
    ])
  })
})
