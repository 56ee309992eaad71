import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { type FakeRest, fakeRest } from '../backfill/fakeRest.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { testDatabase } from '../support/postgres.ts'

const db = await testDatabase()
const address = databaseUrl(db.connection)
let folder: string
let exchange: FakeRest
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-symbols-cli-'))
  exchange = await fakeRest({
    now: 0,
    answers: {
      exchangeInfo: () => ({
        symbols: [
          { symbol: 'BTCUSDT', status: 'TRADING' },
          { symbol: 'ETHUSDT', status: 'TRADING' },
          { symbol: 'LUNAUSDT', status: 'BREAK' },
        ],
      }),
      historicalTrades: () => [],
      trades: () => [],
      ping: () => ({}),
    },
  })
})
afterEach(async () => {
  await exchange.close()
  rmSync(folder, { recursive: true, force: true })
})
afterAll(() => db.close())

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runCommand(['symbols', ...args], { cwd: folder, env: { MILLRACE_BINANCE_REST_URL: exchange.url, ...env } })
const file = () => readFileSync(join(folder, 'symbols.yaml'), 'utf8')

test('symbols are added, listed, disabled, enabled and removed, and comments stay', async () => {
  expect(await run(['add', 'btcusdt', 'ETHUSDT'])).toMatchObject({
    code: 0,
    stdout: 'BTCUSDT added, tier standard.\nETHUSDT added, tier standard.\n',
  })
  writeFileSync(
    join(folder, 'symbols.yaml'),
    file().replace('  - { symbol: ETHUSDT', '  # second\n  - { symbol: ETHUSDT'),
  )
  expect((await run(['add', 'BTCUSDT'])).stdout).toBe('BTCUSDT is there already.\n')
  expect((await run(['disable', 'ETHUSDT'])).stdout).toBe('ETHUSDT disabled.\n')
  const listed = await run(['list'])
  expect(listed.stdout.split('\n').map((line) => line.replace(/ +/g, ' '))).toStrictEqual([
    'symbol tier enabled streams',
    'BTCUSDT standard yes trade',
    'ETHUSDT standard no trade',
    '',
  ])
  expect(listed.stderr).toContain('2 symbols of spot, 1 enabled, in symbols.yaml')
  expect(JSON.parse((await run(['list', '--json'])).stdout).symbols[1]).toStrictEqual({
    symbol: 'ETHUSDT',
    tier: 'standard',
    enabled: false,
    streams: ['trade'],
  })
  await run(['enable', 'ETHUSDT'])
  expect((await run(['remove', 'BTCUSDT'])).stdout).toBe('BTCUSDT removed.\n')
  expect(file()).toMatch(
    /# Which symbols are taken[\s\S]*# second\n {2}- \{ symbol: ETHUSDT, tier: standard, enabled: true \}\n$/,
  )
})

test('what the exchange does not have, or does not trade, is not added, and validate finds it', async () => {
  expect(await run(['add', 'BTCUSDT', 'ETHUSD', 'LUNAUSDT'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /the exchange has no ETHUSD on spot \(did you mean ETHUSDT\?\); LUNAUSDT is not traded now \(BREAK\)\. Nothing was added/,
    ),
  })
  expect(existsSync(join(folder, 'symbols.yaml'))).toBe(false)
  expect(await run(['add', 'BTCUSDT', 'ETHUSD', 'LUNAUSDT', '--unchecked'])).toMatchObject({ code: 0 })
  expect(await run(['validate'])).toMatchObject({
    code: 1,
    stdout: 'the exchange has no ETHUSD on spot (did you mean ETHUSDT?).\nLUNAUSDT is not traded now (BREAK).\n',
  })
  await run(['disable', 'LUNAUSDT', 'ETHUSD'])
  expect(await run(['validate'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('all of its 1 enabled symbols'),
  })
})

test.each([
  [['list'], 'symbols.yaml does not exist. Make one with'],
  [['add'], "missing required argument 'symbols'"],
  [['add', 'BTCUSDT', '--tier', 'standart'], 'has no tier standart (did you mean standard?)'],
  [['add', 'BTCUSDT', '--streams', 'trades'], '--streams: "trades" is not allowed'],
])('wrong usage %j says what to do', async (args, words) => {
  expect(await run(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
})

test('an unknown symbol of the file is named with the one that is meant, and a link stays a link with its permissions', async () => {
  mkdirSync(join(folder, 'etc'))
  const target = join(folder, 'etc', 'real.yaml')
  writeFileSync(target, 'tiers: { all: { streams: [trade] } }\nsymbols: [{ symbol: BTCUSDT, tier: all }]\n', {
    mode: 0o600,
  })
  symlinkSync(target, join(folder, 'symbols.yaml'))
  expect(await run(['remove', 'BTCUSTD'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('symbols.yaml has no BTCUSTD (did you mean BTCUSDT?). Nothing was changed'),
  })
  expect(await run(['disable', 'BTCUSDT'])).toMatchObject({ code: 0 })
  expect(readFileSync(target, 'utf8')).toContain('enabled: false')
  expect(statSync(target).mode & 0o777).toBe(0o600)
})

/** The exchange's stream: answers subscriptions, and sends one trade of each symbol as soon as it is subscribed. */
async function streamOf(subscribed: string[]) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await new Promise((resolve) => server.once('listening', resolve))
  let tradeId = 0
  let connections = 0
  server.on('connection', (socket) => {
    connections++
    socket.on('message', (data) => {
      const { method, params, id } = JSON.parse(String(data)) as { method: string; params: string[]; id: number }
      subscribed.push(params.map((stream) => (method === 'SUBSCRIBE' ? stream : `${method} ${stream}`)).join(','))
      socket.send(JSON.stringify({ result: null, id }))
      for (const stream of params) {
        const symbol = stream.split('@')[0]?.toUpperCase()
        const time = Date.UTC(2024, 7, 8)
        const trade = { e: 'trade', E: time, s: symbol, t: ++tradeId, p: '1', q: '1', T: time, m: true, M: true }
        socket.send(JSON.stringify({ stream, data: trade }))
      }
    })
  })
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    close: () => {
      for (const client of server.clients) client.terminate()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

test('an ingest takes the symbols of the file, and picks up what is added and disabled while it runs', async () => {
  const subscribed: string[] = []
  const stream = await streamOf(subscribed)
  try {
    await run(['add', 'BTCUSDT', '--unchecked'])
    const place = {
      cwd: folder,
      env: {
        DATABASE_URL: address,
        MILLRACE_SCHEMA: db.schema,
        MILLRACE_BINANCE_REST_URL: exchange.url,
        MILLRACE_BINANCE_WS_URL: stream.url,
        MILLRACE_SYMBOLS_FILE: 'symbols.yaml',
      },
    }
    const ingest = startCommand(['ingest', '--source', 'binance', '--no-tty'], place)
    await ingest.seen(/symbols {6}BTCUSDT\n/)
    const trades = () =>
      subscribed.map((list) =>
        list
          .split(',')
          .filter((one) => one.endsWith('@trade'))
          .join(','),
      )
    await expect.poll(trades, { timeout: 10_000 }).toStrictEqual(['btcusdt@trade'])
    await run(['add', 'ETHUSDT', '--unchecked'])
    await ingest.seen(/symbols\.yaml has changed: \+ETHUSDT/)
    await expect.poll(trades, { timeout: 10_000 }).toStrictEqual(['btcusdt@trade', 'ethusdt@trade'])
    await run(['disable', 'BTCUSDT'])
    await ingest.seen(/symbols\.yaml has changed: -BTCUSDT/)
    await expect
      .poll(trades, { timeout: 10_000 })
      .toStrictEqual(['btcusdt@trade', 'ethusdt@trade', 'UNSUBSCRIBE btcusdt@trade'])
    expect(stream.connections()).toBe(1)
    ingest.process.kill('SIGTERM')
    expect(await ingest.ended).toMatchObject({ code: 0 })
  } finally {
    await stream.close()
  }
})

test('a file and a list, or a file of another market, are two words on one thing', async () => {
  await run(['add', 'BTCUSDT', '--unchecked'])
  const ingest = (...args: string[]) => runCommand(['ingest', ...args], { cwd: folder })
  for (const [args, words] of [
    [['--source', 'binance', '--symbols', 'ETHUSDT', '--symbols-file', 'symbols.yaml'], 'leave one out'],
    [
      ['--source', 'binance', '--market', 'usdm', '--symbols-file', 'symbols.yaml'],
      'has symbols of spot, and --market is usdm',
    ],
    [['--tape', 'x.jsonl', '--symbols-file', 'symbols.yaml'], 'leave it out'],
    [['--source', 'binance', '--symbols-file', 'none.yaml'], 'none.yaml does not exist'],
  ] as const) {
    expect(await ingest(...args), words).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
  }
  await run(['disable', 'BTCUSDT'])
  expect((await ingest('--source', 'binance', '--symbols-file', 'symbols.yaml')).stderr).toContain(
    'no enabled symbol with the stream trade',
  )
})
