import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-newcomer-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Where a command finds nothing. */
const bare = { cwd: folder }
const place = { ...bare, databases: await emptyDatabases() }

function fileOf(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content)
  return name
}

function tape(name: string, over: Readonly<Record<string, unknown>> = {}, stream = 'btcusdt@trade'): string {
  const start = Date.UTC(2024, 7, 8)
  const frames = Array.from({ length: 15 }, (_, index) => {
    const time = start + index * 6_000
    const data = { e: 'trade', E: time, s: 'BTCUSDT', t: index + 1, p: '10.0', q: '1.0', T: time, m: false, ...over }
    return JSON.stringify({ stream, data })
  })
  return fileOf(name, `${frames.join('\n')}\n`)
}

const play = (file: string, ...more: readonly string[]) =>
  runCommand(['run', 'realtime', '--tape', file, '--until-end', '--close-open', ...more], place)

describe('a tape that holds no trade that was asked for', { timeout: 60_000 }, () => {
  test('of another stream is no success, and says what it is', async () => {
    const result = await play(tape('agg.jsonl', { e: 'aggTrade' }, 'btcusdt@aggTrade'))
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('none of the 15 frames of the tape is a trade: 15 are of other streams'),
    })
    expect(result.stdout).toContain('15 frames of other streams were left out')
  })

  test('of other symbols is no success, and says which were asked for', async () => {
    expect(await play(tape('other.jsonl'), '--symbols', 'ETHUSDT')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is a trade of ETHUSDT: 15 are of other symbols'),
    })
    expect(
      await runCommand(['ingest', '--tape', 'other.jsonl', '--until-end', '--symbols', 'ETHUSDT'], place),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is a trade of ETHUSDT'),
    })
  })

  test('in microseconds is refused with the flag to set, and with it is read', async () => {
    const file = tape('us.jsonl', { E: 1_723_075_200_000_000, T: 1_723_075_200_000_000 })
    expect(await play(file)).toMatchObject({ code: 2, stderr: expect.stringContaining('set --time-unit us') })
    expect(await play(file, '--time-unit', 'us')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('First candle'),
    })
  })

  test('in UTF-16 is refused with its encoding', async () => {
    const plain = readFileSync(join(folder, tape('plain.jsonl')), 'utf8')
    const file = fileOf('utf16.jsonl', Buffer.from(`\uFEFF${plain}`, 'utf16le'))
    expect(await play(file)).toMatchObject({ code: 2, stderr: expect.stringContaining('is in UTF-16LE') })
  })

  test('with a byte order mark loses no trade, and a second reading says that it is one', async () => {
    const file = fileOf(
      'bom.jsonl',
      `\uFEFF${readFileSync(join(folder, tape('plain.jsonl', { s: 'ETHUSDT' })), 'utf8')}`,
    )
    expect(await play(file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('committed: 15 records, 0 dead letters.'),
    })
    expect(await play(file)).toMatchObject({ code: 0, stdout: expect.stringContaining('It was read before') })
  })
})

describe('a tape', { timeout: 60_000 }, () => {
  test('of blank lines, or of what it says of itself alone, is no success', async () => {
    for (const content of ['\n\n  \n', '{"tape":"SIMULATED PRICES: invented"}\n']) {
      expect(await play(fileOf('blank.jsonl', content), '--data-dir', 'blank')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('the tape holds no frame'),
      })
    }
  })

  test('in nanoseconds is refused, whatever unit is told', async () => {
    const frame = (at: string) =>
      `{"stream":"btcusdt@trade","data":{"e":"trade","E":1723075200000,"s":"BTCUSDT","t":1,"p":"1","q":"1","T":${at},"m":false}}`
    const file = fileOf('ns.jsonl', `${frame('1723075200000000000')}\n`)
    for (const unit of [[], ['--time-unit', 'us']]) {
      expect(await play(file, ...unit)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('is a time in nanoseconds'),
      })
    }
  })

  test('that was read before has no first candle in a run that makes none', async () => {
    const file = tape('twice.jsonl')
    expect((await play(file, '--data-dir', 'twice')).stdout).toContain('First candle after')
    const again = await play(file, '--data-dir', 'twice')
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('It was read before') })
    expect(again.stdout).not.toContain('First candle')
  })
})

describe('a name that is misspelt makes nothing', { timeout: 60_000 }, () => {
  test('of a topic that is only read', async () => {
    await play(tape('real.jsonl'), '--data-dir', 'misspelt', '--topic', 'real.trades')
    const args = ['run', 'realtime', '--source', 'none', '--data-dir', 'misspelt', '--until-end']
    expect(await runCommand([...args, '--topic', 'reel.trades'], place)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has no topic reel.trades (did you mean real.trades?)'),
    })
    const { stdout } = await runCommand(['status', '--json', '--data-dir', 'misspelt'], place)
    const topics = JSON.parse(stdout).dataSets.flatMap((set: { logs: { topic: string }[] }) => set.logs)
    expect(topics.map(({ topic }: { topic: string }) => topic)).toEqual(['real.trades'])
  })

  test('of a file that is brought in', async () => {
    expect(await runCommand(['ingest', 'nofile.jsonl', '--topic', 'x', '--data-dir', 'none'], bare)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nofile.jsonl does not exist'),
    })
    expect(existsSync(join(folder, 'none'))).toBe(false)
  })
})

test('a file of blank lines, or of bad ones alone, is brought in with no success', { timeout: 60_000 }, async () => {
  const bring = (file: string, ...more: readonly string[]) =>
    runCommand(['ingest', file, '--topic', 'blank', '--data-dir', 'bring', ...more], place)
  expect(await bring(fileOf('nothing.jsonl', '\n \n'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has no line with anything in it'),
  })
  expect(await bring(fileOf('bad.jsonl', 'a\nb\n'), '--on-bad-line', 'skip')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('none of the 2 lines of bad.jsonl could be taken'),
  })
  expect(await bring(fileOf('good.jsonl', '{}\n'))).toMatchObject({ code: 0 })
  expect(await bring('good.jsonl')).toMatchObject({ code: 0 })
})

describe('.env', () => {
  test('with a byte order mark has its first line', async () => {
    const own = mkdtempSync(join(folder, 'env-'))
    writeFileSync(join(own, '.env'), '\uFEFFMILLRACE_MARKET=margin\r\n')
    expect(await runCommand(['run', 'realtime'], { cwd: own })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('MILLRACE_MARKET in .env: "margin"'),
    })
  })

  test('in UTF-16 is refused', async () => {
    const own = mkdtempSync(join(folder, 'env-'))
    writeFileSync(join(own, '.env'), Buffer.from('\uFEFFMILLRACE_MARKET=margin\r\n', 'utf16le'))
    expect(await runCommand(['status'], { cwd: own })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is in UTF-16'),
    })
  })
})

describe('a data folder that cannot be', () => {
  test.each([
    ['file', (at: string) => writeFileSync(at, ''), 'is a file'],
    ['link', (at: string) => symlinkSync('/nowhere/at/all', at), 'is a link to /nowhere/at/all, which is not there'],
  ])('is told for what it is: a %s', async (name, make, words) => {
    const at = join(folder, `no-${name}`)
    make(at)
    for (const dataDir of [at, join(at, 'below')]) {
      const result = await runCommand(['run', 'realtime', '--source', 'simulator', '--data-dir', dataDir], bare)
      expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
      expect(result.stderr).not.toContain('write access')
    }
  })
})

describe('what ends a run cleanly', { timeout: 60_000 }, () => {
  const simulate = ['run', 'realtime', '--source', 'simulator']

  test('a terminal that is closed', async () => {
    const run = startCommand([...simulate, '--data-dir', 'hup'], place)
    await run.seen(/First candle/)
    run.process.kill('SIGHUP')
    expect(await run.ended).toMatchObject({ code: 0, signal: null, stdout: expect.stringContaining('Stopped cleanly') })
    expect(await runCommand(['doctor', '--data-dir', 'hup'], place)).toMatchObject({ signal: null })
  })

  test('a reader of its output that goes away', async () => {
    const run = startCommand([...simulate, '--data-dir', 'pipe'], place)
    await run.seen(/First candle/)
    run.process.stdout.destroy()
    expect(await run.ended).toMatchObject({ code: 0, signal: null })
  })

  test('the same of an ingest', async () => {
    const run = startCommand(['ingest', '--source', 'simulator', '--data-dir', 'ingest'], place)
    await run.seen(/records in the log/)
    run.process.stdout.destroy()
    expect(await run.ended).toMatchObject({ code: 0, signal: null })
  })
})

describe('a recording', { timeout: 60_000 }, () => {
  const unreachable = {
    BINANCE_REST_URL: 'http://127.0.0.1:1',
    BINANCE_WS_URL: 'ws://127.0.0.1:1',
  }
  const record = (...args: readonly string[]) => runCommand(['record', ...args], { ...place, env: unreachable })

  test('into a folder that is not there makes none', async () => {
    expect(await record('nowhere/tape.jsonl', '--source', 'simulator', '--records', '1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no folder'),
    })
    expect(existsSync(join(folder, 'nowhere'))).toBe(false)
  })

  test('that nobody asked to be of an invented market is none', async () => {
    const asked = await record('unasked.jsonl', '--seconds', '2')
    expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('the exchange is out of reach') })
    expect(asked.stderr).toContain('--source simulator')
    expect(existsSync(join(folder, 'unasked.jsonl'))).toBe(false)
  })

  test('of no frame at all is no success, and leaves no file', async () => {
    expect(await record('empty.jsonl', '--source', 'binance', '--seconds', '2')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing was recorded'),
    })
    expect(existsSync(join(folder, 'empty.jsonl'))).toBe(false)
    const invented = ['--source', 'simulator', '--records', '20']
    expect(await record('some.jsonl', ...invented)).toMatchObject({ code: 0 })
    expect(existsSync(join(folder, 'some.jsonl'))).toBe(true)
  })
})

test('a tape that goes on behind one whose windows were closed is told why it is late, and what to do helps', {
  timeout: 120_000,
}, async () => {
  const lines = readFileSync(join(folder, tape('long.jsonl')), 'utf8')
    .trim()
    .split('\n')
  const first = fileOf('part1.jsonl', `${lines.slice(0, 5).join('\n')}\n`)
  const second = fileOf('part2.jsonl', `${lines.slice(5).join('\n')}\n`)
  const at = ['--data-dir', 'parts']
  expect((await play(first, ...at)).stdout).not.toContain('late')
  const both = ['run', 'realtime', '--tape', first, '--tape', second, '--until-end', '--close-open', ...at]
  const { stdout } = await runCommand(both, place)
  expect(stdout).toMatch(/10 records have come late .*because an earlier run has closed what was open/)
  const [, drop = ''] = /`npx millrace (state drop [^`]*)`/.exec(stdout) ?? []
  expect(drop).toMatch(/^state drop --data-dir parts --pipeline realtime --topic crypto\.trades\.tape\.\w+$/)
  expect(await runCommand([...drop.split(' '), '--yes'], place)).toMatchObject({ code: 0 })
  expect((await runCommand(both, place)).stdout).toContain('15 records, 0 dead letters')
  const candles = await runCommand(['candles', '--symbol', 'BTCUSDT', '--format', 'json', ...at], place)
  expect(JSON.parse(candles.stdout)).toMatchObject([{ trade_count: 10 }, { trade_count: 5 }])
})

test('hints name the data folder that was named', { timeout: 60_000 }, async () => {
  const broken = fileOf('broken.jsonl', `${readFileSync(join(folder, tape('plain.jsonl')), 'utf8')}{"e":"trade"\n`)
  const { stdout } = await play(broken, '--data-dir', 'my data')
  expect(stdout).toContain("`npx millrace dead-letters list --data-dir 'my data'`")
  expect(stdout).toContain("--interval 1m --data-dir 'my data'")
})

test('help of ingest offers nothing that ingest refuses', async () => {
  const { stdout } = await runCommand(['ingest', '--help'], place)
  const help = stdout.replace(/\s+/g, ' ')
  expect(help).toContain('(binance, coinbase, simulator or tape; env: MILLRACE_SOURCE)')
  expect(help).not.toContain('tape or none')
})

test('a name of a worker is no path', async () => {
  for (const id of ['..', '.', '../up', '.hidden', 'a/b']) {
    expect(await runCommand(['run', 'realtime', '--worker-id', id], place)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--worker-id:'),
    })
  }
})
