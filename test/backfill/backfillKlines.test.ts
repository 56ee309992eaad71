import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { type BackfillProgress, backfillKlines } from '../../src/backfill/backfillKlines.ts'
import { binanceHistory } from '../../src/backfill/binanceHistory.ts'
import type { ExchangeApi } from '../../src/backfill/exchangeApi.ts'
import { closedThrough } from '../../src/backfill/klinePages.ts'
import { KlineStore } from '../../src/backfill/klineStore.ts'
import type { KlineSeries } from '../../src/backfill/rawKline.ts'
import { type KlineInterval, klineIntervalMs, klineIntervals } from '../../src/market/klineInterval.ts'
import { testDatabase } from '../support/postgres.ts'
import { apiFor } from './apiFor.ts'
import { type FakeRest, type FakeRestOptions, fakeRest, type KlineRow, minuteRows } from './fakeRest.ts'

const db = await testDatabase()
const open: FakeRest[] = []
beforeEach(() => db.pool.query('TRUNCATE raw_klines, kline_coverage, kline_archive'))
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})
afterAll(() => db.close())

const start = Date.UTC(2024, 7, 8)
const series = { market: 'spot', symbol: 'BTCUSDT', interval: '1m' } as const
const minutes = (count: number) => start + count * 60_000
const store = new KlineStore(db.pool)

async function apiOf(klines: readonly KlineRow[], options: Partial<FakeRestOptions> = {}) {
  const exchange = await fakeRest({ now: minutes(1e6), klines: { BTCUSDT: klines }, ...options })
  open.push(exchange)
  const api = apiFor(exchange.url)
  return { api, exchange }
}

async function fetchRange(api: ExchangeApi, from: number, to: number, isAgain = false) {
  const progress: BackfillProgress[] = []
  const written = await backfillKlines({
    history: binanceHistory(api, 'spot'),
    store,
    jobs: [{ series, range: { from, to } }],
    isAgain,
    onProgress: (one) => progress.push(one),
  })
  return { written, progress }
}

const stored = async () =>
  (
    await db.pool.query(
      `SELECT (extract(epoch FROM open_time) * 1000)::float8 AS open_time, open::text, high::text, low::text, close::text, volume::text,
              (extract(epoch FROM close_time) * 1000)::float8 AS close_time, quote_volume::text, trade_count::float8, taker_buy_volume::text,
              taker_buy_quote_volume::text
       FROM raw_klines WHERE market = 'spot' AND symbol = 'BTCUSDT' AND interval = '1m' ORDER BY open_time`,
    )
  ).rows.map((row) => [...(Object.values(row) as unknown[]), '0'])

const versions = async () => (await db.pool.query('SELECT ctid, xmin FROM raw_klines ORDER BY open_time')).rows

test('all pages are stored as the exchange wrote them, with progress; a second time asks nothing and changes nothing', async () => {
  const rows = minuteRows(start, 2_500)
  const { api, exchange } = await apiOf(rows)
  const { written, progress } = await fetchRange(api, start, minutes(2_500))
  expect(written).toStrictEqual({ added: 2_500, changed: 0, unchanged: 0 })
  expect(await stored()).toStrictEqual(rows)
  expect(progress.map(({ done, total }) => [done, total])).toStrictEqual([
    [0, 2_500],
    [1_000, 2_500],
    [2_000, 2_500],
    [2_500, 2_500],
  ])
  expect(exchange.requests).toHaveLength(3)
  const before = await versions()
  expect((await fetchRange(api, start, minutes(2_500))).written).toStrictEqual({ added: 0, changed: 0, unchanged: 0 })
  expect(exchange.requests).toHaveLength(3)
  expect((await fetchRange(api, start, minutes(2_500), true)).written.unchanged).toBe(2_500)
  expect(await versions()).toStrictEqual(before)
})

test('one that died goes on behind its last page', async () => {
  const rows = minuteRows(start, 3_000)
  const broken = await apiOf(rows, { fault: (request) => (request > 2 ? { status: 451 } : null) })
  await expect(fetchRange(broken.api, start, minutes(3_000))).rejects.toThrow('451')
  expect(await stored()).toStrictEqual(rows.slice(0, 2_000))
  const { api, exchange } = await apiOf(rows)
  expect((await fetchRange(api, start, minutes(3_000))).written.added).toBe(1_000)
  expect(exchange.requests).toHaveLength(1)
  expect(await stored()).toStrictEqual(rows)
})

test('corrected candles are replaced when it is asked for again', async () => {
  const rows = minuteRows(start, 3)
  await fetchRange((await apiOf(rows)).api, start, minutes(3))
  const corrected = rows.map((row, index) => (index === 1 ? [...row.slice(0, 8), 8, ...row.slice(9)] : row))
  const { api } = await apiOf(corrected)
  expect((await fetchRange(api, start, minutes(3), true)).written).toStrictEqual({ added: 0, changed: 1, unchanged: 2 })
  expect(await stored()).toStrictEqual(corrected)
})

test('rows in disorder or twice are put right; rows that are no candles end it', async () => {
  const rows = minuteRows(start, 6)
  const shuffled = [rows[3], rows[1], rows[2], rows[1]]
  const { api } = await apiOf([], { answers: { klines: () => shuffled } })
  expect((await fetchRange(api, minutes(1), minutes(4))).written.added).toBe(3)
  expect(await stored()).toStrictEqual(rows.slice(1, 4))
  for (const [answer, words] of [
    [[[1]], 'a candle has 12 columns'],
    [[['now', ...(rows[0] as KlineRow).slice(1)]], 'column 1 (open_time)'],
    [[[...(rows[0] as KlineRow).slice(0, 1), '1e5', ...(rows[0] as KlineRow).slice(2)]], 'column 2 (open)'],
    [
      [[minutes(0), ...(rows[0] as KlineRow).slice(1, 6), minutes(-5), ...(rows[0] as KlineRow).slice(7)]],
      'before it opens',
    ],
    [{ code: 1 }, 'no list of candles'],
  ] as const) {
    const odd = await apiOf([], { answers: { klines: () => answer } })
    await expect(fetchRange(odd.api, start, minutes(1))).rejects.toThrow(words)
  }
})

test('candles of another time than was asked for end it, and cover nothing', async () => {
  for (const answer of [minuteRows(minutes(-10), 1_000), minuteRows(minutes(5), 1)]) {
    const { api } = await apiOf([], { answers: { klines: () => answer } })
    await expect(fetchRange(api, start, minutes(5))).rejects.toThrow('were asked for')
    expect(await store.missing(series, { from: start, to: minutes(5) })).toHaveLength(1)
  }
})

test('a halt of the exchange is a hole that was asked for, and is not asked for again', async () => {
  const rows = [...minuteRows(start, 10), ...minuteRows(minutes(80), 10)]
  const { api, exchange } = await apiOf(rows)
  await fetchRange(api, start, minutes(90))
  const asked = exchange.requests.length
  await fetchRange(api, start, minutes(90))
  expect(exchange.requests).toHaveLength(asked)
  expect(await stored()).toStrictEqual(rows)
})

test('what is missing is what no page covered, whatever was asked for in which order', async () => {
  const range = fc.record({ at: fc.integer({ min: 0, max: 40 }), length: fc.integer({ min: 1, max: 12 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 8 }), async (ranges) => {
      await db.pool.query('TRUNCATE kline_coverage')
      const covered = new Set<number>()
      for (const { at, length } of ranges) {
        await store.addPage(series, [], { from: minutes(at), to: minutes(at + length) })
        for (let minute = at; minute < at + length; minute++) covered.add(minute)
      }
      const missing = await store.missing(series, { from: minutes(3), to: minutes(45) })
      const found = missing.flatMap(({ from, to }) =>
        Array.from({ length: (to - from) / 60_000 }, (_, index) => (from - start) / 60_000 + index),
      )
      expect(found).toStrictEqual(
        Array.from({ length: 42 }, (_, index) => index + 3).filter((minute) => !covered.has(minute)),
      )
      const { rows } = await db.pool.query(
        'SELECT count(*)::int AS touching FROM kline_coverage a JOIN kline_coverage b ON a.from_time < b.from_time AND a.to_time >= b.from_time',
      )
      expect(rows).toStrictEqual([{ touching: 0 }])
    }),
    { numRuns: 40 },
  )
})

test('two at once end as one alone does', async () => {
  const rows = minuteRows(start, 2_000)
  const one = await apiOf(rows)
  const other = await apiOf(rows)
  await Promise.all([fetchRange(one.api, start, minutes(2_000)), fetchRange(other.api, minutes(500), minutes(1_500))])
  expect(await stored()).toStrictEqual(rows)
  expect(await store.missing(series, { from: start, to: minutes(2_000) })).toStrictEqual([])
})

test('a candle counts as closed only when nothing of it can change', () => {
  const noon = Date.UTC(2024, 7, 9, 12)
  expect(closedThrough('1m', noon + 4_999)).toBe(noon - 60_000)
  expect(closedThrough('1m', noon + 5_000)).toBe(noon)
  expect(new Date(closedThrough('1w', noon)).toISOString()).toBe('2024-08-05T00:00:00.000Z')
  expect(new Date(closedThrough('1M', noon)).toISOString()).toBe('2024-08-01T00:00:00.000Z')
  for (const interval of klineIntervals as readonly KlineInterval[]) {
    const through = closedThrough(interval, noon)
    expect(through).toBeLessThan(noon)
    expect(through).toBeGreaterThanOrEqual(noon - 5_000 - klineIntervalMs[interval] * 1.01)
  }
})

test('a series is its own: another market, symbol or interval has other rows', async () => {
  const { api } = await apiOf(minuteRows(start, 2))
  await fetchRange(api, start, minutes(2))
  const others: readonly KlineSeries[] = [
    { ...series, market: 'usdm' },
    { ...series, symbol: 'ETHUSDT' },
    { ...series, interval: '1M' },
  ]
  for (const other of others) {
    expect(await store.missing(other, { from: start, to: minutes(2) })).toHaveLength(1)
  }
})
