import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Interval } from '../../src/market/interval.ts'
import type { RunningConsole } from '../../src/web/consoleServer.ts'
import { commitCandles } from '../support/candleRows.ts'
import { consoleOn, isPart, isSeries, type LiveEar, listenTo } from '../support/consoleOn.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const minute = 60_000
const start = Date.UTC(2026, 0, 1)

let db: TestDatabase
let running: RunningConsole | null = null
let ear: LiveEar | null = null

beforeAll(async () => {
  db = await testDatabase()
}, 120_000)
afterEach(async () => {
  ear?.socket.terminate()
  await running?.close()
  running = null
  await db.pool.query('TRUNCATE fact_realtime_trades_1m, fact_realtime_trades_5m, stream_task')
})
afterAll(() => db?.close())

async function watching(interval: Interval, indicators: readonly string[] = []): Promise<LiveEar> {
  running = await consoleOn(db.connection, db.schema, { pages: new Map() })
  ear = await listenTo(running)
  const one = { id: 1, dataSet: db.schema, market: 'spot', symbol: 'BTCUSDT', interval, indicators: [...indicators] }
  ear.watch({ series: [one] })
  return ear
}

interface Row {
  readonly close: string
  readonly high?: string
  readonly trades: number
  readonly isClosed: boolean
}

/** The row of a 5m candle, as the pipeline writes it. */
async function fiveMinutes(openTime: number, { close, high = close, trades, isClosed }: Row): Promise<void> {
  await db.pool.query(
    `INSERT INTO fact_realtime_trades_5m
     VALUES ('spot', 'BTCUSDT', '5m', to_timestamp($1::float8 / 1000), 5, $2, 5, $3, $4::int, 10, $4::int, 0, 0, 5, 1, $4::int, $5, $6)
     ON CONFLICT (market, symbol, interval, open_time) DO UPDATE SET high = EXCLUDED.high, close = EXCLUDED.close, volume = EXCLUDED.volume,
       trade_count = EXCLUDED.trade_count, is_closed = EXCLUDED.is_closed, revision = EXCLUDED.revision`,
    [openTime, high, close, trades, isClosed, isClosed ? 1 : 0],
  )
}

describe('a longer candle that is open', () => {
  it('moves with each commit of its minutes, exactly, before its own row is written again', async () => {
    await fiveMinutes(start - 5 * minute, { close: '5', trades: 3, isClosed: true })
    await fiveMinutes(start, { close: '6', trades: 1, isClosed: false })
    await commitCandles(db.pool, [
      { symbol: 'BTCUSDT', openTime: start, open: '5.5', high: '9', low: '5', close: '8', volume: '0.1', trades: 2 },
      { symbol: 'BTCUSDT', openTime: start + minute, close: '7', low: '4', volume: '0.2', trades: 1, isClosed: false },
    ])
    const told = await watching('5m', ['sma:2'])
    const whole = await told.until(isSeries)
    expect(whole.candles.map(([at]) => at)).toEqual([start - 5 * minute, start])
    // Of 0.1 and 0.2, and not 0.30000000000000004.
    expect(whole.candles[1]).toEqual([start, '5.5', '9.00000000', '4.00000000', '7', '0.30000000', 3, 0, 0])
    expect(whole.indicators[0]?.values).toEqual([[start, 1, 6]])
    await commitCandles(db.pool, [
      { symbol: 'BTCUSDT', openTime: start + minute, close: '11', high: '11', low: '4', trades: 4, isClosed: false },
    ])
    const next = await told.until(isPart)
    expect(next.candles).toEqual([[start, '5.5', '11.00000000', '4.00000000', '11', '1.10000000', 6, 0, 0]])
    expect(next.indicators[0]?.values).toEqual([[start, 1, 8]])
  })

  it('begins with its first minute, and is its own row once that is as new or closed', async () => {
    await fiveMinutes(start - 5 * minute, { close: '5', trades: 3, isClosed: true })
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start - minute, close: '5', trades: 3 }])
    const told = await watching('5m')
    expect((await told.until(isSeries)).candles).toHaveLength(1)
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start, close: '6', trades: 1, isClosed: false }])
    expect((await told.until(isPart)).candles).toEqual([
      [start, '6', '6.00000000', '6.00000000', '6', '1.00000000', 1, 0, 0],
    ])
    told.heard.length = 0
    await fiveMinutes(start, { close: '6', high: '7', trades: 2, isClosed: true })
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start, close: '6', trades: 9, isClosed: false }])
    const closed = await told.until(isPart)
    expect(closed.candles).toEqual([[start, '5', '7', '5', '6', '2', 2, 1, 1]])
  })
})

describe('candles that are gone', () => {
  it('are gone from the page too, and the console does not read all of them again and again', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => ({
      symbol: 'BTCUSDT',
      openTime: start + i * minute,
      close: '5',
    }))
    await commitCandles(db.pool, rows)
    const told = await watching('1m')
    expect((await told.until(isSeries)).candles).toHaveLength(60)
    told.heard.length = 0
    await db.pool.query('DELETE FROM fact_realtime_trades_1m WHERE open_time < to_timestamp($1::float8 / 1000)', [
      start + 10 * minute,
    ])
    const less = await told.until(isSeries)
    expect(less.isWhole).toBe(true)
    expect(less.candles.map(([at]) => at)).toEqual(rows.slice(10).map(({ openTime }) => openTime))
    told.heard.length = 0
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start + 60 * minute, close: '6' }])
    const next = await told.until(isSeries)
    expect(next).toMatchObject({ isWhole: false })
    expect(next.candles.map(([at]) => at)).toEqual([start + 60 * minute])
  })
})

describe('an indicator', () => {
  it('at a new candle counts the one before, which has not closed yet', async () => {
    await commitCandles(db.pool, [
      { symbol: 'BTCUSDT', openTime: start, close: '2' },
      { symbol: 'BTCUSDT', openTime: start + minute, close: '4', isClosed: false },
    ])
    const told = await watching('1m', ['sma:3'])
    await told.until(isSeries)
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start + 2 * minute, close: '9', isClosed: false }])
    const next = await told.until(isPart)
    expect(next.indicators[0]?.values).toEqual([[start + 2 * minute, 1, 5]])
  })
})
