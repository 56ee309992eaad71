import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { type FakeRest, fakeRest } from '../backfill/fakeRest.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { testDatabase } from '../support/postgres.ts'

const db = await testDatabase()
const folder = mkdtempSync(join(tmpdir(), 'millrace-backfill-trades-'))
const address = databaseUrl(db.connection)
const open: FakeRest[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await db.close()
})

const start = Date.UTC(2024, 7, 8)
/** A trade each 100 ms for five minutes. */
const trades = Array.from({ length: 3_000 }, (_, index) => ({
  id: 5_000 + index,
  price: `${100 + (index % 7)}.00000000`,
  qty: '0.50000000',
  quoteQty: '50',
  time: start + index * 100,
  isBuyerMaker: index % 2 === 0,
  isBestMatch: true,
}))

async function exchangeOf(fault: (request: number, path: string) => { status: number } | null = () => null) {
  const exchange = await fakeRest({
    now: start + 86_400_000,
    klines: { BTCUSDT: [] },
    fault,
    answers: {
      aggTrades: () => [{ a: 1, f: 5_000, l: 5_000 }],
      historicalTrades: (query) =>
        trades.filter((trade) => trade.id >= Number(query.get('fromId'))).slice(0, Number(query.get('limit'))),
    },
  })
  open.push(exchange)
  return exchange
}

const place = (exchange: FakeRest | null) => ({
  cwd: folder,
  env: {
    DATABASE_URL: address,
    MILLRACE_SCHEMA: db.schema,
    ...(exchange === null ? {} : { MILLRACE_BINANCE_REST_URL: exchange.url }),
  },
})

const args = [
  'backfill',
  '--trades',
  '--symbols',
  'BTCUSDT',
  '--from',
  '2024-08-08',
  '--to',
  '2024-08-08T00:05:00Z',
  '--no-tty',
]

async function candles() {
  const { rows } = await db.pool.query(
    `SELECT trade_count::int, first_trade_id::int, last_trade_id::int, is_closed FROM fact_realtime_trades_1m WHERE interval = '1m' ORDER BY open_time`,
  )
  return rows
}

const expected = Array.from({ length: 5 }, (_, minute) => ({
  trade_count: 600,
  first_trade_id: 5_000 + minute * 600,
  last_trade_id: 5_599 + minute * 600,
  is_closed: true,
}))

test('killed in the middle and started again, each trade is in the topic once, and the candles of them are exact', async () => {
  let pages = 0
  const dying = await exchangeOf((_request, path) =>
    path.endsWith('/historicalTrades') && pages++ >= 1 ? { status: 503 } : null,
  )
  const running = startCommand(args, place(dying))
  await running.seen(/answers 503: waiting/)
  running.process.kill('SIGKILL')
  await running.ended
  const result = await runCommand(args, place(await exchangeOf()))
  expect(result, result.stderr).toMatchObject({ code: 0 })
  expect(result.stdout).toContain('All of it is in crypto.trades.backfill.')
  const again = await runCommand(args, place(await exchangeOf()))
  expect(again.stdout).toContain(': 0 records appended')
  const [, command = ''] = /Candles of them: npx millrace (.*)/.exec(result.stdout) ?? []
  const made = await runCommand([...command.split(' '), '--no-tty'], place(null))
  expect(made, made.stderr + made.stdout).toMatchObject({ code: 0 })
  expect(await candles()).toStrictEqual(expected)
})

test('archives of trades go into a topic of their own, by their content', async () => {
  await db.pool.query('TRUNCATE fact_realtime_trades_1m')
  const path = join(folder, 'BTCUSDT-trades-2024-08-08.csv')
  writeFileSync(
    path,
    trades
      .map((trade) =>
        [trade.id, trade.price, trade.qty, '50', trade.time, trade.isBuyerMaker ? 'True' : 'False', 'True'].join(','),
      )
      .join('\n'),
  )
  const result = await runCommand(['backfill', '--trades', '--file', path, '--no-tty'], place(null))
  expect(result, result.stderr).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('times in milliseconds by their digits'),
  })
  expect(result.stderr).toContain('no checksum file, so not verified')
  const [, command = ''] = /Candles of them: npx millrace (.*)/.exec(result.stdout) ?? []
  const made = await runCommand([...command.split(' '), '--no-tty'], place(null))
  expect(made, made.stderr + made.stdout).toMatchObject({ code: 0 })
  expect(await candles()).toStrictEqual(expected)
})

test.each([
  [
    ['--trades', '--market', 'usdm', '--symbols', 'BTCUSDT', '--from', '2024-08-08'],
    'with a key only: take an archive',
  ],
  [['--trades', '--symbols', 'BTCUSDT', '--from', '2024-08-08', '--interval', '1m'], '--interval is for candles'],
  [['--trades', '--file', 'BTCUSDT-1m-2024-08.zip'], 'is no archive of trades by its name'],
  [['--trades', '--file', 'BTCUSDT-trades-2024-08-08.zip', 'ETHUSDT-trades-2024-08-08.zip'], 'must be of one symbol'],
  [['--topic', 'mine', '--symbols', 'BTCUSDT', '--from', '2024-08-08'], '--topic is for --trades'],
  [['--trades', '--symbols', 'BTCUSTD', '--from', '2024-08-08'], 'did you mean BTCUSDT'],
])('wrong usage %j says what to do', async (more, words) => {
  const result = await runCommand(['backfill', ...more], place(await exchangeOf()))
  expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
})
