import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { type FakeRest, type FakeRestOptions, fakeRest, minuteRows } from '../backfill/fakeRest.ts'
import { zipOf } from '../backfill/zipOf.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { testDatabase } from '../support/postgres.ts'

const db = await testDatabase()
const folder = mkdtempSync(join(tmpdir(), 'millrace-backfill-'))
const address = databaseUrl(db.connection)
const open: FakeRest[] = []
beforeEach(() => db.pool.query('TRUNCATE raw_klines, kline_coverage, kline_archive'))
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await db.close()
})

const start = Date.UTC(2024, 7, 8)
const rows = minuteRows(start, 2_400)
const csv = Buffer.from(rows.map((row) => row.join(',')).join('\n'))
const name = 'BTCUSDT-1m-2024-08.zip'

async function exchangeOf(options: Partial<FakeRestOptions> = {}): Promise<FakeRest> {
  const exchange = await fakeRest({
    now: start + 3 * 86_400_000,
    klines: { BTCUSDT: rows, ETHUSDT: rows },
    files: { [`/spot/${name}`]: zipOf({ 'BTCUSDT-1m-2024-08.csv': csv }) },
    ...options,
  })
  open.push(exchange)
  return exchange
}

function place(exchange: FakeRest | null) {
  const url = exchange === null ? {} : { MILLRACE_BINANCE_REST_URL: exchange.url }
  return { cwd: folder, env: { DATABASE_URL: address, MILLRACE_SCHEMA: db.schema, ...url } }
}

const count = async () =>
  (await db.pool.query('SELECT symbol, source, count(*)::int FROM raw_klines GROUP BY 1, 2 ORDER BY 1')).rows

test('candles of several symbols come by REST, and a second time there is nothing to do', async () => {
  const exchange = await exchangeOf()
  const args = ['backfill', '--symbols', 'BTCUSDT,ETHUSDT', '--from', '2024-08-08', '--to', '2024-08-09T12:00:00Z']
  const first = await runCommand(args, place(exchange))
  expect(first, first.stderr).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('4,320 candles added, 0 changed'),
  })
  expect(first.stderr).toMatch(/BTCUSDT 1m · \d+ % of 4,320 candles · .* · weight \d+ of 1,200/)
  const asked = exchange.requests.filter((request) => request.includes('/klines')).length
  const second = await runCommand(args, place(exchange))
  expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing to fetch') })
  expect(exchange.requests.filter((request) => request.includes('/klines'))).toHaveLength(asked)
  expect(await count()).toStrictEqual([
    { symbol: 'BTCUSDT', source: 'rest', count: 2_160 },
    { symbol: 'ETHUSDT', source: 'rest', count: 2_160 },
  ])
})

test('the candle that is open at the exchange is not taken', async () => {
  const exchange = await exchangeOf({ now: start + 90_000 })
  const result = await runCommand(['backfill', '--symbols', 'BTCUSDT', '--from', '2024-08-08'], place(exchange))
  expect(result.stdout).toContain('1 candles added')
  expect(
    (await runCommand(['backfill', '--symbols', 'BTCUSDT', '--from', '2024-08-08T00:01:00Z'], place(exchange))).stdout,
  ).toContain('There is no closed candle')
})

test('killed in the middle it goes on behind its last page', async () => {
  let served = 0
  const exchange = await exchangeOf({
    now: start + 3 * 86_400_000,
    usedWeight: () => 2,
    fault: (_request, path) => (path.endsWith('/klines') && served++ >= 2 ? { status: 503 } : null),
  })
  const args = ['backfill', '--symbols', 'BTCUSDT', '--from', '2024-08-08', '--to', '2024-08-09T16:00:00Z']
  const running = startCommand(args, place(exchange))
  await running.seen(/answers 503: waiting/)
  running.process.kill('SIGKILL')
  await running.ended
  expect(await count()).toStrictEqual([{ symbol: 'BTCUSDT', source: 'rest', count: 2_000 }])
  const sound = await exchangeOf()
  const result = await runCommand(args, place(sound))
  expect(result, result.stderr).toMatchObject({ code: 0 })
  expect(sound.requests.filter((request) => request.includes('/klines'))).toHaveLength(1)
})

test('a stop while it waits is clean, and says that it goes on', async () => {
  const exchange = await exchangeOf({
    fault: (_request, path) => (path.endsWith('/klines') ? { status: 429, headers: { 'retry-after': '300' } } : null),
  })
  const running = startCommand(['backfill', '--symbols', 'BTCUSDT', '--from', '2024-08-08'], place(exchange))
  await running.seen(/asks to wait \(429\): waiting 300 s/)
  running.process.kill('SIGTERM')
  expect(await running.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('goes on from there') })
})

test('an archive from an address is verified, read once, and read again when it was uploaded anew', async () => {
  const zip = zipOf({ 'BTCUSDT-1m-2024-08.csv': csv })
  const sum = `${createHash('sha256').update(zip).digest('hex')}  ${name}\n`
  const exchange = await exchangeOf({ files: { [`/spot/${name}`]: zip, [`/spot/${name}.CHECKSUM`]: Buffer.from(sum) } })
  const args = (url: string) => ['backfill', '--url', `${url}/spot/${name}`]
  const first = await runCommand(args(exchange.url), place(null))
  expect(first, first.stderr).toMatchObject({ code: 0 })
  expect(first.stdout).toContain('times in milliseconds by their digits, checksum verified: 2,400 candles added')
  const again = await runCommand(args(exchange.url), place(null))
  expect(again.stdout).toContain('read before, and the same')
  // Only its checksum was asked for.
  expect(exchange.requests.filter((path) => path.endsWith('.zip'))).toHaveLength(1)
  const corrected = zipOf({ 'BTCUSDT-1m-2024-08.csv': Buffer.from(csv.toString().replace('2.50000000', '2.6')) })
  const newSum = `${createHash('sha256').update(corrected).digest('hex')}  ${name}\n`
  const anew = await exchangeOf({
    files: { [`/spot/${name}`]: corrected, [`/spot/${name}.CHECKSUM`]: Buffer.from(newSum) },
  })
  expect((await runCommand(args(anew.url), place(null))).stdout).toContain('0 candles added, 1 changed, 2,399 the same')
  expect(readdirSync(join(folder, '.millrace', 'downloads'))).toStrictEqual([])
})

test('an archive that is not what its checksum says is not taken', async () => {
  const path = join(folder, name)
  writeFileSync(path, zipOf({ 'BTCUSDT-1m-2024-08.csv': csv }))
  writeFileSync(`${path}.CHECKSUM`, `${'0'.repeat(64)}  ${name}\n`)
  const result = await runCommand(['backfill', '--file', path], place(null))
  expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('is not what') })
  const exchange = await exchangeOf({
    files: {
      [`/spot/${name}`]: Buffer.from('PK\x03\x04'),
      [`/spot/${name}.CHECKSUM`]: Buffer.from(`${'0'.repeat(64)}`),
    },
  })
  const fetched = await runCommand(['backfill', '--url', `${exchange.url}/spot/${name}`], place(null))
  expect(fetched).toMatchObject({ code: 1, stderr: expect.stringContaining('is not what its checksum file says') })
  expect(await count()).toStrictEqual([])
  rmSync(`${path}.CHECKSUM`)
  const unverified = await runCommand(['backfill', '--file', path, '--market', 'usdm'], place(null))
  expect(unverified.stdout).toContain(
    'BTCUSDT 1m of usdm, times in milliseconds by their digits, no checksum file, so not verified',
  )
})

test('half an archive leaves nothing behind', async () => {
  const path = join(folder, 'BTCUSDT-1m-2024-09.csv')
  writeFileSync(path, `${csv}\nbroken`)
  const result = await runCommand(['backfill', '--file', path], place(null))
  expect(result).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('line 2401: a candle has 12 columns, got 1'),
  })
  expect(await count()).toStrictEqual([])
})

test.each([
  [['--symbols', 'BTCUSDT'], '--from is missing'],
  [['--from', '2024-08-08'], '--symbols is missing'],
  [['--symbols', 'BTCUSDT', '--from', '2024-08-08', '--to', '2024-08-07'], 'swap them'],
  [['--symbols', 'BTCUSTD', '--from', '2024-08-08'], 'The exchange has no BTCUSTD (did you mean BTCUSDT?) on spot'],
  [['--symbols', 'BTCUSDT', '--from', '2024-08-08', '--interval', '7m'], '--interval: "7m" is not allowed'],
  [
    ['--market', 'simulated', '--symbols', 'BTCUSDT', '--from', '2024-08-08'],
    'does not say that its prices are invented',
  ],
  [['--file', 'klines.zip'], 'does not have the name of an archive'],
  [['--file', 'BTCUSDT-aggTrades-2024-08-08.zip'], 'holds aggTrades'],
  [['--file', 'BTCUSDT-1m-2024-07.zip'], 'does not exist'],
  [['--file', name, '--symbols', 'BTCUSDT'], '--symbols is for what the exchange is asked for'],
  [['--url', 'https://x.invalid/data/futures/cm/BTCUSD_PERP-1m-2024-08.zip'], 'is of a market that is not read here'],
  [
    ['--url', 'https://x.invalid/data/futures/um/BTCUSDT-1m-2024-08.zip', '--market', 'spot'],
    'is of usdm, and --market is spot',
  ],
  [['--url', 'ftp://x.invalid/a.zip'], '--url: '],
])('wrong usage %j is one line that says what to do', async (args, words) => {
  const exchange = await exchangeOf()
  const result = await runCommand(['backfill', ...args], place(exchange))
  expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
  expect(
    result.stderr
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('error')),
  ).toHaveLength(1)
})
