import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RunningConsole } from '../../src/web/consoleServer.ts'
import type { ServerMessage } from '../../src/web/protocol.ts'
import { commitCandles } from '../support/candleRows.ts'
import { consoleOn, type LiveEar, listenTo } from '../support/consoleOn.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

type Symbols = Extract<ServerMessage, { kind: 'symbols' }>
type Tick = Extract<ServerMessage, { kind: 'tick' }>

const minute = 60_000
const hour = 60 * minute
const start = Date.UTC(2026, 0, 1)

let db: TestDatabase
let running: RunningConsole
let ear: LiveEar

beforeAll(async () => {
  db = await testDatabase()
}, 120_000)
afterEach(async () => {
  ear?.socket.terminate()
  await running?.close()
  await db.pool.query('TRUNCATE fact_realtime_trades_1m, fact_realtime_trades_1h, stream_task, alert_event')
})
afterAll(() => db?.close())

async function open(): Promise<LiveEar> {
  running = await consoleOn(db.connection, db.schema, { pages: new Map() })
  ear = await listenTo(running)
  return ear
}

const listOf =
  (find: string) =>
  (message: ServerMessage): message is Symbols =>
    message.kind === 'symbols' && message.find === find

describe('the list of symbols', () => {
  it('has 500 and says how many there are; the others are found by their name', async () => {
    const rows = Array.from({ length: 620 }, (_, i) => ({
      symbol: `S${String(i).padStart(4, '0')}USDT`,
      openTime: start,
      close: '5',
    }))
    await commitCandles(db.pool, rows)
    const told = await open()
    told.watch({ symbols: db.schema })
    const all = await told.until(listOf(''))
    expect([all.symbols.length, all.total]).toEqual([500, 620])
    told.watch({ symbols: db.schema, find: ' s0610' })
    const found = await told.until(listOf('s0610'))
    expect(found).toMatchObject({ total: 1, symbols: [{ symbol: 'S0610USDT' }] })
    // What it looks at now moves; what it looked at before does not.
    told.heard.length = 0
    await commitCandles(db.pool, [{ symbol: 'S0610USDT', openTime: start + minute, close: '6' }])
    expect(await told.until((message) => message.kind === 'symbols')).toMatchObject({
      find: 's0610',
      symbols: [{ price: '6' }],
    })
  })

  it('says since when a change is: of the first candle, which is younger than its hour', async () => {
    await db.pool.query(
      `INSERT INTO fact_realtime_trades_1h
       VALUES ('spot', 'BTCUSDT', '1h', to_timestamp($1::float8 / 1000), 5, 5, 5, 5, 1, 5, 1, 0, 0, 5, 1, 1, false, 0)`,
      [start],
    )
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start + 32 * minute, close: '6' }])
    const told = await open()
    told.watch({ symbols: db.schema })
    expect(await told.until(listOf(''))).toMatchObject({ symbols: [{ before: '5', since: start + 32 * minute }] })
  })
})

describe('a data set', () => {
  it('has candles once there is one, not where its tables are empty', async () => {
    const told = await open()
    const isOf =
      (has: boolean) =>
      (message: ServerMessage): message is Tick =>
        message.kind === 'tick' && message.dataSets[0]?.hasCandles === has
    await told.until(isOf(false))
    told.watch({ symbols: db.schema })
    expect(await told.until(listOf(''))).toMatchObject({ symbols: [], total: 0 })
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start, close: '6' }])
    await told.until(isOf(true))
    await told.until((message) => message.kind === 'symbols' && message.symbols.length === 1)
  })
})

describe('alerts that stand', () => {
  interface Decided {
    readonly rule: string
    readonly transition: string
    readonly at: number
    readonly revision?: number
    readonly corrects?: string
    readonly severity?: string
    readonly symbol?: string
    /** How long after its open time it is told; one minute, the end of the candle, if left out. */
    readonly afterMinutes?: number
  }
  const decide = async (...events: readonly Decided[]) => {
    for (const {
      rule,
      transition,
      at,
      revision = 1,
      corrects = null,
      severity = 'ticket',
      symbol = 'BTCUSDT',
      afterMinutes = 1,
    } of events)
      await db.pool.query(
        `INSERT INTO alert_event (rule, market, symbol, interval, open_time, transition, revision, kind, severity, corrects, at, value, threshold, muted, is_complete, text)
         VALUES ($1, 'spot', $2, '1m', to_timestamp($3::float8 / 1000), $4, $5, 'price', $6, $7, to_timestamp($3::float8 / 1000) + $8 * interval '1 minute', '1', '2', 0, true, 'text')`,
        [rule, symbol, at, transition, revision, severity, corrects, afterMinutes],
      )
  }
  const standing = async () => {
    const { url } = running
    const answer = (await (await fetch(`${url}api/alerts?schema=${db.schema}`)).json()) as {
      readonly standing: readonly { readonly rule: string; readonly symbol: string; readonly transition: string }[]
    }
    return answer.standing.map(({ rule, symbol, transition }) => `${rule} ${symbol} ${transition}`)
  }

  it('are told however much was decided since, whoever wakes somebody first', async () => {
    await open()
    await decide({ rule: 'old', transition: 'firing', at: start })
    const noise = Array.from({ length: 600 }, (_, i) => start + (i + 1) * minute)
    for (const at of noise)
      await decide({ rule: 'noise', transition: (at / minute) % 2 === 0 ? 'firing' : 'resolved', at })
    await decide({ rule: 'urgent', transition: 'firing', at: start + minute, severity: 'page' })
    await decide({ rule: 'noise', transition: 'resolved', at: start + 900 * minute })
    expect(await standing()).toEqual(['urgent BTCUSDT firing', 'old BTCUSDT firing'])
  })

  it('go on though data have come back, and data may lack beside them', async () => {
    await open()
    await decide(
      { rule: 'high', transition: 'firing', at: start },
      { rule: 'high', transition: 'noData', at: start + minute },
      { rule: 'high', transition: 'dataBack', at: start + hour },
    )
    expect(await standing()).toEqual(['high BTCUSDT firing'])
    await decide({ rule: 'high', transition: 'noData', at: start + hour, afterMinutes: 6 })
    expect(await standing()).toEqual(['high BTCUSDT noData', 'high BTCUSDT firing'])
  })

  it('are those of before where the last word was taken back', async () => {
    await open()
    await decide(
      { rule: 'high', transition: 'firing', at: start },
      { rule: 'high', transition: 'resolved', at: start + minute },
      { rule: 'high', transition: 'corrected', at: start + minute, revision: 2, corrects: 'resolved' },
      { rule: 'low', transition: 'firing', at: start },
      { rule: 'low', transition: 'corrected', at: start, revision: 2, corrects: 'firing' },
      { rule: 'both', transition: 'firing', at: start },
      { rule: 'both', transition: 'corrected', at: start, revision: 2, corrects: 'firing' },
      { rule: 'both', transition: 'firing', at: start, revision: 3 },
    )
    expect(await standing()).toEqual(['both BTCUSDT firing', 'high BTCUSDT firing'])
  })
})
