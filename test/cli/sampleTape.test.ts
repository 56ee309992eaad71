import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { simulatedFrames } from '../../src/sources/simulator/simulatedFrames.ts'
import { simulatedMark } from '../../src/sources/tapeMark.ts'
import { runCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sample-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const sample = resolve(import.meta.dirname, '../../examples/sample.trades.jsonl')
const place = { cwd: folder, databases: await emptyDatabases() }

test('the sample is what the simulator makes, and says that it is invented', () => {
  const market = {
    seed: 1,
    symbols: ['BTCUSDT', 'ETHUSDT'],
    from: Date.UTC(2024, 7, 8),
    count: 400,
    tradesPerSecond: 1.2,
  }
  const lines = [simulatedMark, ...simulatedFrames(market)].map(String)
  expect(readFileSync(sample, 'utf8')).toBe(`${lines.join('\n')}\n`)
})

test('it makes candles, apart from those of a market', { timeout: 60_000 }, async () => {
  const run = await runCommand(['run', 'realtime', '--tape', sample, '--until-end', '--close-open'], place)
  expect(run).toMatchObject({ code: 0, stderr: expect.not.stringContaining('error') })
  expect(run.stdout).toContain('SIMULATED PRICES')
  expect(run.stdout).toMatch(/committed: \d+ records, 0 dead letters\./)
  const candles = ['candles', '--symbol', 'BTCUSDT', '--interval', '1m', '--format', 'csv']
  const { stdout, stderr } = await runCommand(candles, place)
  expect(stderr).toContain('SIMULATED')
  const rows = stdout.trim().split('\n').slice(1)
  expect(rows).toHaveLength(6)
  for (const row of rows) expect(row).toMatch(/,true,1,simulated$/)
})

test('it is not taken for one of a market', async () => {
  for (const market of ['spot', 'usdm']) {
    expect(await runCommand(['run', 'realtime', '--tape', sample, '--market', market], place)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is a tape of invented prices'),
    })
  }
})

test('what is recorded can be read', { timeout: 60_000 }, async () => {
  const recorded = await runCommand(['record', 'mine.jsonl', '--source', 'simulator', '--records', '40'], place)
  expect(recorded).toMatchObject({ code: 0, stdout: expect.stringContaining('mine.jsonl holds 40 frames') })
  const run = await runCommand(['run', 'realtime', '--tape', 'mine.jsonl', '--until-end', '--close-open'], place)
  expect(run.stdout).toContain('committed: 40 records, 0 dead letters.')
  expect(await runCommand(['record', 'mine.jsonl.gz', '--source', 'simulator'], place)).toMatchObject({ code: 2 })
  expect(await runCommand(['record', 'x.jsonl', '--source', 'tape'], place)).toMatchObject({ code: 2 })
})
