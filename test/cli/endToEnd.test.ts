import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { candlesOf as candlesIn, differencesFromKlines, hasTapes, tapeFile, tapes } from '../support/klines.ts'
import { startS3Server } from '../support/s3Server.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const place = { cwd: folder, databases: await emptyDatabases() }

const minute = Date.UTC(2024, 7, 8, 12)

function frame(symbol: string, id: number, time: number, price: string, quantity: string): string {
  const data = { e: 'trade', E: time + 5, s: symbol, t: id, p: price, q: quantity, T: time, m: id % 2 === 0, M: true }
  return JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data })
}

/** Three minutes of two symbols, with one line that is no frame. */
function smallTape(): string {
  const path = join(folder, 'tape.jsonl')
  const lines: string[] = []
  for (let second = 0; second < 150; second += 1) {
    lines.push(frame('AAAUSDT', second + 1, minute + second * 1000, `${100 + (second % 7)}.5`, '0.00000001'))
    lines.push(frame('BBBUSDT', second + 1, minute + second * 1000 + 1, '0.00001234', '1000000'))
  }
  lines.splice(50, 0, '{"stream":"aaausdt@trade","data":{"e":"trade","s":"AAAUSDT"')
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

const candlesOf = (symbol: string, ...more: string[]) => candlesIn(place, symbol, ...more)

describe('a tape', { timeout: 60_000 }, () => {
  test('becomes candles, and again nothing when it is run again', async () => {
    const args = ['run', 'realtime', '--tape', smallTape(), '--until-end', '--close-open']
    const first = await runCommand(args, place)
    expect(first, first.stderr + first.stdout).toMatchObject({ code: 0 })
    expect(first.stdout).toContain('All of the tape is committed: ')
    expect(first.stdout).toContain('1 dead letters')
    expect(first.stdout).toMatch(/Try: npx millrace candles --symbol [AB]{3}USDT --interval 1m\n/)
    const candles = await candlesOf('AAAUSDT')
    expect(candles.map((candle) => candle.open_time)).toEqual([
      '2024-08-08T12:00:00.000Z',
      '2024-08-08T12:01:00.000Z',
      '2024-08-08T12:02:00.000Z',
    ])
    expect(candles[0]).toEqual({
      market: 'spot',
      symbol: 'AAAUSDT',
      interval: '1m',
      open_time: '2024-08-08T12:00:00.000Z',
      open: '100.50000000',
      high: '106.50000000',
      low: '100.50000000',
      close: '103.50000000',
      volume: '0.00000060',
      quote_volume: '0.00006204',
      trade_count: '60',
      taker_buy_volume: '0.00000030',
      vwap: '103.40000000',
      is_closed: 'true',
      revision: '1',
    })
    const again = await runCommand(args, place)
    expect(again).toMatchObject({ code: 0 })
    expect(await candlesOf('AAAUSDT')).toEqual(candles)
  })

  test('`candles` takes a range with an exclusive end, other intervals, and explains an empty result', async () => {
    const range = ['--from', '2024-08-08T12:01Z', '--to', '2024-08-08T12:02Z']
    expect(await candlesOf('BBBUSDT', ...range)).toHaveLength(1)
    expect(await candlesOf('BBBUSDT', '--interval', '1d')).toMatchObject([
      { open_time: '2024-08-08T00:00:00.000Z', trade_count: '150', is_closed: 'true' },
    ])
    const empty = await runCommand(['candles', '--symbol', 'CCCUSDT', '--format', 'csv', ...range], place)
    expect(empty).toMatchObject({ code: 0, stdout: expect.stringMatching(/^symbol,[^\n]+\n$/) })
    for (const part of ['1m', 'CCCUSDT', 'spot', '12:01:00', '12:02:00', folder, 'AAAUSDT (spot)', 'BBBUSDT (spot)'])
      expect(empty.stderr).toContain(part)
  })

  test('its broken line is a dead letter that can be listed, shown and redriven, once', async () => {
    const listed = await runCommand(['dead-letters', 'list', '--json'], place)
    const letters = JSON.parse(listed.stdout) as { id: string; reason: string; payload: string }[]
    expect(letters).toMatchObject([{ reason: 'malformed', dataSet: 'real', redrivenAt: null }])
    const id = letters[0]?.id ?? ''
    const shown = await runCommand(['dead-letters', 'show', id], place)
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('"s":"AAAUSDT"') })
    const redriven = await runCommand(['dead-letters', 'redrive', '--all'], place)
    expect(redriven).toMatchObject({ code: 0, stdout: expect.stringContaining('1 appended again') })
    expect((await runCommand(['dead-letters', 'redrive', id], place)).stdout).toContain('it was redriven already')
    expect((await runCommand(['dead-letters', 'list'], place)).stdout).toBe('')
    expect(await runCommand(['dead-letters', 'show', id.replace(/0$/, '7')], place)).toMatchObject({ code: 1 })
  })

  test('`status` knows tasks, archive and dead letters', async () => {
    const { stdout } = await runCommand(['status', '--json'], place)
    const status = JSON.parse(stdout) as { dataSets: { name: string; tasks: { lagRecords: number }[] }[] }
    expect(status).toMatchObject({ running: null, dataSets: [{ name: 'real' }] })
    expect(status.dataSets[0]).toMatchObject({
      archive: [{ pipeline: 'realtime' }],
      deadLetters: [{ reason: 'malformed', waiting: 0, redriven: 1 }],
    })
    // What was redriven is in the log and waits for the next run.
    expect(status.dataSets[0]?.tasks.map((task) => task.lagRecords).sort()).toEqual([0, 0, 0, 1])
    const text = await runCommand(['status'], place)
    expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining('No pipeline runs on this data folder.') })
  })
})

describe('a simulated market', { timeout: 60_000 }, () => {
  test('runs until Ctrl-C, lets every command join, refuses a second run, and keeps its prices apart', async () => {
    const running = startCommand(['run', 'realtime', '--source', 'simulator', '--symbols', 'AAAUSDT,ZZZUSDT'], place)
    await running.seen(/First candle after/)
    await running.seen(/SIMULATED PRICES/)
    await running.seen(/records\/s/)
    const second = await runCommand(['run', 'realtime', '--source', 'simulator'], place)
    expect(second).toMatchObject({ code: 2, stderr: expect.stringContaining(`process ${running.process.pid} `) })
    const status = await runCommand(['status', '--json'], place)
    expect(JSON.parse(status.stdout)).toMatchObject({
      running: { pid: running.process.pid },
      dataSets: [{ name: 'real' }, { name: 'simulated' }],
    })
    const only = await runCommand(['candles', '--symbol', 'ZZZUSDT'], place)
    expect(only).toMatchObject({ code: 0, stderr: expect.stringContaining('SIMULATED') })
    const both = await runCommand(['candles', '--symbol', 'AAAUSDT', '--format', 'csv'], place)
    expect(both.stderr).toContain('AAAUSDT is in spot, simulated; taking spot')
    expect(both.stdout).toContain('2024-08-08T12:00:00.000Z')
    running.process.kill('SIGINT')
    const ended = await running.ended
    expect(ended, ended.stderr + ended.stdout).toMatchObject({ code: 0 })
    expect(ended.stdout).toContain('Stopped cleanly')
    expect((await candlesOf('AAAUSDT', '--market', 'simulated')).length).toBeGreaterThan(0)
    expect(existsSync(join(folder, '.millrace', 'run.lock'))).toBe(false)
  })

  test('a second Ctrl-C ends at once with 130', async () => {
    const running = startCommand(['run', 'realtime', '--source', 'simulator'], place)
    await running.seen(/First candle after/)
    running.process.kill('SIGSTOP')
    running.process.kill('SIGINT')
    running.process.kill('SIGTERM')
    running.process.kill('SIGCONT')
    expect(await running.ended).toMatchObject({ code: 130 })
    // The server that it left behind is taken over, and stopped, by the next command.
    expect(await runCommand(['migrate'], place)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('up to date'),
    })
  })
})

describe('an archive in a bucket', { timeout: 60_000 }, () => {
  test('gets the objects, with the standard variables of AWS', async () => {
    const server = await startS3Server({ buckets: ['raw'] })
    try {
      const env = {
        MILLRACE_ARCHIVE: 's3://raw/trades',
        AWS_ENDPOINT_URL_S3: server.endpoint,
        AWS_REGION: server.region,
        AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
      }
      const args = ['run', 'realtime', '--tape', smallTape(), '--until-end', '--data-dir', join(folder, 'bucket')]
      const ended = await runCommand(args, { ...place, env })
      expect(ended, ended.stderr + ended.stdout).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('s3://raw/trades'),
      })
      const keys = [...server.objects('raw').keys()].filter((key) => !key.startsWith('trades/_millrace/'))
      expect(keys.length).toBeGreaterThan(0)
      for (const key of keys)
        expect(key).toMatch(/^trades\/topic=crypto\.trades\.tape\.[0-9a-f]{12}\/date=2024-08-08\//)
    } finally {
      await server.close()
    }
  })
})

describe("the exchange's own candles", { timeout: 60_000 }, () => {
  if (!hasTapes)
    console.warn("SKIPPED: ../shared/data is not here, so candles are not compared with the exchange's own")
  test.skipIf(!hasTapes).each(tapes)(
    'are what a tape of $market becomes, on every fully covered minute',
    async (tape) => {
      const run = ['run', 'realtime', '--tape', tapeFile(tape.folder), '--market', tape.market]
      const ended = await runCommand([...run, '--until-end', '--close-open'], place)
      expect(ended, ended.stderr + ended.stdout).toMatchObject({ code: 0 })
      expect(await differencesFromKlines(place, tape)).toEqual({ compared: tape.minutes, differences: [] })
    },
  )
})
