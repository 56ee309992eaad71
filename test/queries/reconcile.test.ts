import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { explainDifferences, reconcile } from '../../src/queries/reconcile.ts'
import { openConnection } from '../../src/sinks/postgres/connection.ts'
import { runCommand } from '../support/commandLine.ts'
import { testDatabase } from '../support/postgres.ts'

const db = await testDatabase()
const client = await openConnection(db.connection, {
  schema: db.schema,
  applicationName: 'test',
  connectTimeoutMs: 5_000,
})
const { user, password, host, port, database } = db.connection
const place = {
  cwd: '.',
  env: {
    DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
    MILLRACE_SCHEMA: db.schema,
  },
}
const start = Date.UTC(2024, 7, 8)
const at = (minute: number) => new Date(start + minute * 60_000)
const all = { symbols: null, from: null, to: null }

beforeEach(() => db.pool.query('TRUNCATE raw_klines, fact_realtime_trades_1m, candle_difference'))
afterAll(async () => {
  await client.end()
  await db.close()
})

interface Parts {
  readonly close?: string
  readonly volume?: string
  readonly trades?: number
  readonly quote?: string
  readonly isClosed?: boolean
}

async function ours(
  minute: number,
  { close = '1', volume = '2', trades = 7, quote = '2', isClosed = true }: Parts = {},
) {
  await db.pool.query(
    `INSERT INTO fact_realtime_trades_1m VALUES ('spot', 'BTCUSDT', '1m', $1, 1, 1, 1, $2, $3, $4, $5, 1, 1, 1, 1, 7, $6, 1)
     ON CONFLICT (market, symbol, interval, open_time) DO UPDATE SET close = excluded.close, volume = excluded.volume, trade_count = excluded.trade_count`,
    [at(minute), close, volume, quote, trades, isClosed],
  )
}

async function theirs(minute: number, { close = '1', volume = '2', trades = 7, quote = '2' }: Parts = {}) {
  await db.pool.query(
    `INSERT INTO raw_klines VALUES ('spot', 'BTCUSDT', '1m', $1, 1, 1, 1, $2, $3, $1, $4, $5, 1, 1, 'rest')`,
    [at(minute), close, volume, quote, trades],
  )
}

const rows = async () =>
  (
    await db.pool.query(
      'SELECT (extract(epoch FROM open_time) * 1000)::float8 AS at, state, differences, explanation, ended_at IS NOT NULL AS has_ended FROM candle_difference ORDER BY open_time',
    )
  ).rows.map((row) => ({ ...row, at: (row.at - start) / 60_000 }))

test('equal candles leave no row; a difference is one, with both words, until it is equal', async () => {
  for (const minute of [0, 1, 2]) {
    await ours(minute, minute === 1 ? { trades: 6, volume: '1.9' } : {})
    await theirs(minute)
  }
  const first = await reconcile(client, all)
  expect(first).toMatchObject({ compared: 3, ended: 0, openCount: 1 })
  expect(first.open).toStrictEqual([
    {
      market: 'spot',
      symbol: 'BTCUSDT',
      verdict: null,
      interval: '1m',
      openTime: start + 60_000,
      differences: { volume: ['1.9', '2'], trade_count: ['6', '7'] },
    },
  ])
  expect(await reconcile(client, all)).toStrictEqual(first)
  await ours(1)
  expect(await reconcile(client, all)).toMatchObject({ compared: 3, ended: 1, openCount: 0 })
  expect(await rows()).toMatchObject([{ at: 1, state: 'equal', has_ended: true }])
  await ours(1, { close: '0.9' })
  expect(await reconcile(client, all)).toMatchObject({ openCount: 1 })
  expect(await rows()).toMatchObject([{ at: 1, state: 'open', differences: { close: ['0.9', '1'] }, has_ended: false }])
})

test('decimals are numbers: zeros at the end are no difference, and what is behind the eighth place is not theirs to tell', async () => {
  await ours(0, { volume: '2.000', quote: '2.0000000049' })
  await theirs(0)
  await ours(1, { quote: '2.00000002' })
  await theirs(1)
  expect((await reconcile(client, all)).open.map(({ openTime }) => openTime)).toStrictEqual([start + 60_000])
})

test('a candle that we lack between others is a difference; one before, behind, without trades, or still open is none', async () => {
  for (const minute of [1, 4, 5]) await ours(minute, minute === 5 ? { isClosed: false, trades: 1 } : {})
  for (const minute of [0, 1, 2, 3, 4, 5, 6]) await theirs(minute, minute === 3 ? { trades: 0, volume: '0' } : {})
  const { open } = await reconcile(client, all)
  expect(open.map(({ openTime, differences }) => [(openTime - start) / 60_000, differences])).toStrictEqual([
    [2, { candle: ['missing', 'trades'] }],
  ])
  await ours(2)
  expect(await reconcile(client, all)).toMatchObject({ openCount: 0, ended: 1 })
})

test('what is explained is closed while it is the same, and open again when it changes', async () => {
  await ours(0, { trades: 6 })
  await theirs(0)
  await ours(1, { trades: 6 })
  await theirs(1)
  await reconcile(client, all)
  expect(await explainDifferences(client, { ...all, to: start + 60_000 }, 'the tape begins here')).toBe(1)
  expect(await reconcile(client, all)).toMatchObject({ openCount: 1 })
  expect(await rows()).toMatchObject([
    { at: 0, state: 'explained', explanation: 'the tape begins here' },
    { at: 1, state: 'open' },
  ])
  await ours(0, { trades: 5 })
  expect(await reconcile(client, all)).toMatchObject({ openCount: 2 })
  expect(await reconcile(client, { ...all, symbols: ['ETHUSDT'] })).toMatchObject({ compared: 0, openCount: 0 })
})

test('the command prints both words, and ends with 1 until all is equal or explained', async () => {
  expect(await runCommand(['reconcile'], place)).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('nothing to compare'),
  })
  await ours(0, { trades: 6 })
  await theirs(0)
  const open = await runCommand(['reconcile'], place)
  expect(open).toMatchObject({ code: 1 })
  expect(open.stdout.replace(/ +/g, ' ')).toContain(
    'spot BTCUSDT 1m 2024-08-08T00:00:00.000Z trade_count 6 7\n1 candles compared, 1 differ',
  )
  expect(await runCommand(['reconcile', '--explain', 'x'], place)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('needs --symbol'),
  })
  expect(
    await runCommand(['reconcile', '--symbol', 'BTCUSDT', '--explain', 'lost at 4 in the morning'], place),
  ).toMatchObject({
    code: 0,
    stdout: '1 differences explained.\n',
  })
  expect(await runCommand(['reconcile', '--json'], place)).toMatchObject({ code: 0 })
})

const folder = resolve('../shared/data/usdm-btcusdt-2024-08-08')
test.skipIf(!existsSync(folder))(
  "candles of a real tape are the exchange's own, on every minute that the tape covers",
  async () => {
    const tape = await runCommand(
      [
        'run',
        'realtime',
        '--tape',
        `${folder}/frames.trades.jsonl.gz`,
        '--market',
        'usdm',
        '--until-end',
        '--close-open',
        '--no-tty',
      ],
      place,
    )
    expect(tape, tape.stderr).toMatchObject({ code: 0 })
    const lines = readFileSync(`${folder}/klines_1m.csv`, 'utf8').trim().split('\n').slice(1)
    for (const line of lines) {
      const [symbol, openTime, open, high, low, close, volume, closeTime, quote, count, buy, buyQuote, isWhole] =
        line.split(',')
      if (isWhole !== 'true') continue
      await db.pool.query(
        `INSERT INTO raw_klines VALUES ('usdm', $1, '1m', to_timestamp($2::float8 / 1000), $3, $4, $5, $6, $7, to_timestamp($8::float8 / 1000), $9, $10, $11, $12, 'rest')`,
        [symbol, openTime, open, high, low, close, volume, closeTime, quote, count, buy, buyQuote],
      )
    }
    expect(await reconcile(client, all)).toMatchObject({ compared: 5, openCount: 0 })
  },
)
