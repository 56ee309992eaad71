import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StoredCandle } from '../../src/queries/candles.ts'
import { readCandles, readSeries } from '../../src/queries/candles.ts'
import { readOpenCandles } from '../../src/queries/openCandles.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
let client: pg.Client

const rows = 4_500
const start = Date.UTC(2024, 0, 1)
const minute = 60_000

beforeAll(async () => {
  database = await testDatabase()
  client = new pg.Client({ ...database.connection, options: `-c search_path=${database.schema}` })
  await client.connect()
  for (const [market, symbol] of [
    ['spot', 'BTCUSDT'],
    ['usdm', 'BTCUSDT'],
    ['spot', 'AAAUSDT'],
  ]) {
    await client.query(
      `INSERT INTO fact_realtime_trades_1m
       SELECT $1, $2, '1m', to_timestamp($3::float8 / 1000) + n * interval '1 minute', 1, 2, 0.5, 1.5, 10, 15.0000000000000001, n + 1, 5, 7.5, 1.5,
              n, n, n < $4::int - 1, CASE WHEN n < $4::int - 1 THEN 1 ELSE 0 END
       FROM generate_series(0, $4::int - 1) AS n`,
      [market, symbol, start, symbol === 'AAAUSDT' ? 1 : rows],
    )
  }
})

afterAll(async () => {
  await client.end()
  await database.close()
})

async function read(from: number | null, to: number | null): Promise<StoredCandle[]> {
  const found: StoredCandle[] = []
  const range = { market: 'spot', symbol: 'BTCUSDT', interval: '1m', from, to } as const
  for await (const page of readCandles(client, range)) found.push(...page)
  return found
}

describe('readCandles', () => {
  test('gives all rows of a range of any length, once and in order', async () => {
    const found = await read(null, null)
    expect(found.map((candle) => candle.openTime)).toEqual(Array.from({ length: rows }, (_, n) => start + n * minute))
    expect(found[7]).toMatchObject({ tradeCount: 8, quoteVolume: '15.0000000000000001', isClosed: true, revision: 1 })
    expect(found.at(-1)).toMatchObject({ isClosed: false, revision: 0 })
  })

  test('takes from inclusive and to exclusive', async () => {
    const found = await read(start + 10 * minute, start + 20 * minute)
    expect(found.map((candle) => candle.openTime)).toEqual(
      Array.from({ length: 10 }, (_, n) => start + (10 + n) * minute),
    )
    expect(await read(start + 10 * minute + 1, start + 11 * minute)).toEqual([])
    expect(await read(start - minute, start)).toEqual([])
  })
})

test('readSeries names every market and symbol once', async () => {
  expect(await readSeries(client, '1m')).toEqual([
    { market: 'spot', symbol: 'AAAUSDT' },
    { market: 'spot', symbol: 'BTCUSDT' },
    { market: 'usdm', symbol: 'BTCUSDT' },
  ])
  expect(await readSeries(client, '1d')).toEqual([])
})

test('readOpenCandles gives the newest candle of each symbol of the market', async () => {
  const found = await readOpenCandles(client, 'spot')
  expect(found.map(({ symbol, openTime, isClosed }) => [symbol, openTime, isClosed])).toEqual([
    ['AAAUSDT', start, false],
    ['BTCUSDT', start + (rows - 1) * minute, false],
  ])
})
