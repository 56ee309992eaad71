import { afterAll, beforeEach, expect, it } from 'vitest'
import { type BatchJob, batchPass } from '../../src/batch/batchPass.ts'
import type { QualityBoundary } from '../../src/batch/batchWindow.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { marketQualities } from '../../src/pipelines/klineQuality.ts'
import { silverBoundary } from '../../src/pipelines/silverBoundary.ts'
import { checkQuality } from '../../src/quality/checkQuality.ts'
import { testDatabase } from '../support/postgres.ts'

const db = await testDatabase()
const { connection: address, schema, pool } = db
const minute = 60_000
const hour = 60 * minute
const start = Date.UTC(2024, 7, 8)
let passes = 0

beforeEach(() =>
  pool.query(
    'TRUNCATE raw_klines, silver_klines_1m, gold_klines_5m, gold_klines_15m, gold_klines_1h, gold_klines_4h, gold_klines_1d, dirty_window, quality_result, quality_window, quarantine',
  ),
)
afterAll(() => db.close())

const good = {
  open: '2',
  high: '3',
  low: '1',
  close: '2.5',
  volume: '10',
  quote_volume: '20',
  trade_count: '7',
  taker_buy_volume: '4',
  taker_buy_quote_volume: '8',
}
type Values = typeof good

async function kline(at: number, change: Partial<Values> = {}, symbol = 'BTCUSDT') {
  const row = { ...good, ...change }
  await pool.query(
    `INSERT INTO raw_klines VALUES ('spot', $1, '1m', $2, $4, $5, $6, $7, $8, $3, $9, $10, $11, $12, 'rest')
     ON CONFLICT (market, symbol, interval, open_time) DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
       quote_volume = excluded.quote_volume, trade_count = excluded.trade_count, taker_buy_volume = excluded.taker_buy_volume, taker_buy_quote_volume = excluded.taker_buy_quote_volume`,
    [symbol, new Date(at), new Date(at + minute - 1), ...Object.values(row)],
  )
}

async function hours(count: number, symbol?: string) {
  for (let at = start; at < start + count * hour; at += minute) await kline(at, {}, symbol)
}

function pass(more: Pick<BatchJob, 'quality' | 'isFull'> = {}) {
  passes += 1
  const trades = tradeCodec({ market: 'spot', timeUnit: 'ms' })
  const run = { database: { address, schema }, runId: `pass ${passes}`, signal: new AbortController().signal }
  return batchPass({ trades, archive: null, lake: null, quality: silverBoundary, ...more }, run)
}

const goldHours = async (symbol = 'BTCUSDT') =>
  (
    await pool.query(
      'SELECT DISTINCT floor(extract(epoch FROM open_time - $1) / 3600)::int AS hour FROM gold_klines_5m WHERE symbol = $2 ORDER BY 1',
      [new Date(start), symbol],
    )
  ).rows.map((row) => row.hour)

it('is declared of tables as they are', async () => {
  const client = await pool.connect()
  await client.query('BEGIN')
  for (const quality of marketQualities) {
    const key = Object.fromEntries(quality.by.map((column) => [column, column === 'interval' ? '1m' : 'spot']))
    const window = { key, from: start, to: start + hour }
    const { windows } = await checkQuality(client, quality, [window], { runId: 'tables', now: start })
    const told = windows[0]!.problems.map(({ reason }) => reason)
    expect(
      new Set(told.filter((reason) => !/^(raw_klines has no row for it|no 1m of it is over yet)$/.test(reason))),
    ).toEqual(new Set(['there are no rows to look at']))
    expect(told.length).toBeGreaterThan(15)
  }
  await client.query('ROLLBACK')
  client.release()
})

it('lets sound minutes become gold', { timeout: 60_000 }, async () => {
  await hours(3)
  expect((await pass()).blocked).toBe(0)
  expect(await goldHours()).toEqual([0, 1, 2])
  const { rows } = await pool.query(
    `SELECT DISTINCT state FROM quality_result WHERE expectation <> 'the newest row is at most 1h old'`,
  )
  expect(rows).toEqual([{ state: 'pass' }])
})

const plants: readonly (readonly [Partial<Values>, string])[] = [
  [{ low: '0' }, 'low is more than 0'],
  [{ open: '-1', low: '-1' }, 'open is more than 0'],
  [{ high: '2.4' }, 'low <= close <= high'],
  [{ open: '3.1' }, 'low <= open <= high'],
  [{ low: '2.1' }, 'low <= open <= high'],
  [{ volume: '-1', quote_volume: '-2' }, 'volume is at least 0'],
  [{ trade_count: '0' }, 'there is volume where there are trades, and none where there are none'],
  [{ volume: '0', quote_volume: '0' }, 'there is volume where there are trades, and none where there are none'],
  [{ taker_buy_volume: '10.00000001' }, 'taker_buy_volume <= volume'],
  [{ taker_buy_quote_volume: '20.1' }, 'takers bought no more than was traded, in the quote asset'],
  [
    { quote_volume: '31', taker_buy_quote_volume: '8' },
    'vwap lies between low and high, and is there where there are trades',
  ],
]

it('puts each planted minute into quarantine with its reason, and makes no gold of its hour', {
  timeout: 240_000,
}, async () => {
  await hours(plants.length + 1)
  await hours(2, 'ETHUSDT')
  for (const [i, [change]] of plants.entries()) await kline(start + i * hour + i * 5 * minute, change)
  const counts = await pass()
  expect(counts.blocked).toBe(plants.length)
  expect(await goldHours()).toEqual([plants.length])
  expect(await goldHours('ETHUSDT')).toEqual([0, 1])
  const { rows } = await pool.query(
    `SELECT expectation, "row"->>'open_time' AS at, run_id FROM quarantine WHERE severity = 'block'`,
  )
  for (const [i, [, expectation]] of plants.entries()) {
    const at = start + i * hour + i * 5 * minute
    expect(rows.filter((row) => Date.parse(row.at) === at).map((row) => row.expectation)).toContain(expectation)
  }
  expect(new Set(rows.map((row) => Date.parse(row.at)))).toEqual(
    new Set(plants.map((_, i) => start + i * hour + i * 5 * minute)),
  )
  expect(rows.every((row) => row.run_id === `pass ${passes}`)).toBe(true)

  // Once they are right, the gold is made and quarantine lets them go.
  for (const i of plants.keys()) await kline(start + i * hour + i * 5 * minute)
  expect((await pass()).blocked).toBe(0)
  expect(await goldHours()).toHaveLength(plants.length + 1)
  expect((await pool.query('SELECT FROM quarantine WHERE released_at IS NULL')).rowCount).toBe(0)
})

it('comes to the same whether a pass has looked at its minutes or the server alone has judged them', {
  timeout: 240_000,
}, async () => {
  const unusual: readonly (Partial<Record<keyof Values, string | null>> | 'missing' | 'off')[] = [
    ...plants.map(([change]) => change),
    ...[{ close: '2.500000004' }, { quote_volume: '20.00000000000000004' }, { volume: 'NaN' }, { high: 'Infinity' }],
    ...[{ trade_count: '-1' }, { volume: '9000000000000', quote_volume: '18000000000000' }, { open: '1e23' }],
    ...[{ quote_volume: null, trade_count: null, taker_buy_volume: null, taker_buy_quote_volume: null }],
    ...(['missing', 'off'] as const),
  ]
  const symbol = 'SOLUSDT'
  const soundHours = 2
  await hours(unusual.length + soundHours, symbol)
  for (const [i, change] of unusual.entries()) {
    const at = start + i * hour + i * minute
    if (change === 'off') await kline(at + 30_000, {}, symbol)
    else if (change === 'missing')
      await pool.query('DELETE FROM raw_klines WHERE symbol = $1 AND open_time = $2', [symbol, new Date(at)])
    else await kline(at, change as Partial<Values>, symbol)
  }
  const symbols = `SELECT count(*)::integer AS hours FROM (SELECT DISTINCT symbol, date_trunc('hour', open_time) FROM raw_klines) AS hour`
  const { hours: all } = (await pool.query(symbols)).rows[0]
  let seen = 0
  const looking: QualityBoundary = {
    ...silverBoundary,
    judge: (client, windows, run) => {
      seen += windows.filter(
        ({ market, symbol: of, from, to }) => run.seen?.of({ key: { market, symbol: of }, from, to }) != null,
      ).length
      return silverBoundary.judge(client, windows, run)
    },
  }
  const found = []
  for (const quality of [looking, { ...silverBoundary, expects: null }]) {
    await pool.query('TRUNCATE quality_result, quality_window, quarantine')
    const counts = await pass({ quality, isFull: true })
    const told = async (text: string) => (await pool.query(text)).rows
    found.push({
      blocked: counts.blocked,
      results: await told(
        'SELECT expectation, state, windows, passed, row_count, failing, reason FROM quality_result ORDER BY 1',
      ),
      windows: await told(
        'SELECT expectation, key, window_from, state, row_count, failing, reason FROM quality_window ORDER BY 1, 2, 3',
      ),
      rows: await told(`SELECT expectation, row_hash, copies FROM quarantine WHERE released_at IS NULL ORDER BY 1, 2`),
      gold: await told('SELECT * FROM gold_klines_5m ORDER BY symbol, open_time'),
    })
  }
  expect(found[1]).toEqual(found[0])
  // As they should be are one that lacks, one of which nothing else is told, one of many, and one with a seventeenth place, which a pass alone could not see.
  const unsound = unusual.length - 4
  expect(found[0]?.blocked).toBe(unsound)
  expect(seen).toBe(all - unsound - 1)
})

it('warns of minutes that are missing, and makes gold of the others', { timeout: 60_000 }, async () => {
  await hours(1)
  await pool.query('DELETE FROM raw_klines WHERE open_time = $1', [new Date(start + 5 * minute)])
  expect((await pass()).blocked).toBe(0)
  const { rows } = await pool.query(`SELECT reason, state FROM quality_window WHERE expectation = 'a row for each 1m'`)
  expect(rows).toEqual([{ state: 'warn', reason: '1 of 60 steps of 1m have no row' }])
})
