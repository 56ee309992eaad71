import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gapFrame } from '../../src/market/feedGap.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { unkindTrades } from '../../src/testing/unkind/unkindTrades.ts'
import type { Difference } from '../../src/verify/difference.ts'
import { verify } from '../../src/verify/verify.ts'
import { batchWorld } from '../batch/batchWorld.ts'

const hour = 3_600_000

describe('a verification', { timeout: 180_000 }, () => {
  let world: Awaited<ReturnType<typeof batchWorld>>
  let recorded: PostgresCheckpointStore
  const input = unkindTrades({
    seed: 11,
    trades: 2_500,
    maxOutOfOrdernessMs: 2_000,
    allowedLatenessMs: 30_000,
    hasGaps: true,
    partitions: 2,
    averageStepMs: 5_000,
  })
  const minutes = input.candles.filter(({ interval }) => interval === '1m')
  const times = minutes.map(({ openTime }) => openTime)
  const first = Math.min(...times)
  const last = Math.max(...times)
  const all = { from: first - 25 * hour, to: last + 25 * hour }

  beforeAll(async () => {
    world = await batchWorld(2)
    recorded = new PostgresCheckpointStore(world.db.connection, { schema: world.db.schema })
    const third = Math.floor(input.records.length / 3)
    await world.live(input.records.slice(0, third))
    await world.live(input.records.slice(third, 2 * third), 'drain')
    await world.live(input.records.slice(2 * third), 'drain-and-close')
    await world.klines(minutes)
  }, 120_000)
  afterAll(async () => {
    await recorded.close()
    await world.close()
  })

  const run = (range: { readonly from: number; readonly to: number } = all) =>
    verify(world.pool, {
      pipeline: realtime(world.trades),
      topic: 'trades',
      store: world.archive,
      limits: {},
      recorded,
      ...range,
      signal: new AbortController().signal,
    })
  const said = ({ kind, table, row, columns }: Difference) => `${kind} ${table} ${row} ${Object.keys(columns).join()}`

  it('of what live wrote finds nothing, whole or in any part', async () => {
    const whole = await run()
    expect(whole.differences).toEqual([])
    expect(whole.candles).toBeGreaterThan(minutes.length)
    expect(whole.klines).toBe(minutes.length)
    expect(whole.deadLetters).toBeGreaterThan(20)
    expect(whole.until).toBe(all.to)
    const span = last - first
    for (const [from, to] of [
      [0.2, 0.4],
      [0.45, 0.8],
      [0.7, 1],
    ] as const) {
      const part = { from: Math.floor(first + from * span), to: Math.floor(first + to * span) }
      const found = await run(part)
      expect(found.differences).toEqual([])
      expect(found.records).toBeLessThan(whole.records)
      expect(found.candles).toBeGreaterThan(10)
    }
  })

  it('takes an exchange that cuts its sums off as it takes one that rounds them', async () => {
    const cut = await world.pool.query(
      `UPDATE raw_klines AS kline SET quote_volume = trunc(ours.quote_volume, 8), taker_buy_quote_volume = trunc(ours.taker_buy_quote_volume, 8)
       FROM fact_realtime_trades_1m AS ours
       WHERE ours.market = kline.market AND ours.symbol = kline.symbol AND ours.open_time = kline.open_time AND trunc(ours.quote_volume, 8) <> kline.quote_volume`,
    )
    expect(cut.rowCount).toBeGreaterThan(5)
    expect((await run()).differences).toEqual([])
  })

  it('does not miss what was deleted because of its age', async () => {
    const { pool } = world
    const saved = await pool.query('SELECT count(*)::int AS n FROM dead_letter')
    expect(saved.rows[0].n).toBeGreaterThan(0)
    await pool.query(
      'CREATE TABLE kept_candles AS SELECT * FROM fact_realtime_trades_1m WHERE open_time <= (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY open_time) FROM fact_realtime_trades_1m)',
    )
    await pool.query('CREATE TABLE kept_letters AS SELECT * FROM dead_letter')
    await pool.query('DELETE FROM fact_realtime_trades_1m WHERE open_time IN (SELECT open_time FROM kept_candles)')
    await pool.query('DELETE FROM dead_letter')
    const missing = await run()
    expect(missing.differences.length).toBeGreaterThan(5)
    await pool.query(
      `INSERT INTO retention SELECT 'candles-1m', 1, now(), 1, max(open_time) FROM kept_candles UNION ALL SELECT 'dead-letters', 1, now(), 1, now()`,
    )
    const told = await run()
    expect(told.differences).toEqual([])
    expect(told.candles).toBeLessThan(missing.candles)
    await pool.query('INSERT INTO fact_realtime_trades_1m SELECT * FROM kept_candles')
    await pool.query('INSERT INTO dead_letter SELECT * FROM kept_letters')
    await pool.query('DELETE FROM retention')
    await pool.query('DROP TABLE kept_candles, kept_letters')
  })

  it('finds each of twenty planted differences, and nothing else', async () => {
    const { pool } = world
    const keys = async (table: string, skip: number): Promise<{ ctid: string; row: string }> => {
      const { rows } = await pool.query(
        `SELECT ctid::text, market || ' ' || symbol || ' ' || to_char(open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS row FROM ${table} ORDER BY open_time, symbol OFFSET ${skip} LIMIT 1`,
      )
      return rows[0]
    }
    const planted: string[] = []
    const change = async (interval: string, skip: number, column: string, to: string) => {
      const table = `fact_realtime_trades_${interval}`
      const { ctid, row } = await keys(table, skip)
      await pool.query(`UPDATE ${table} SET ${column} = ${to} WHERE ctid = $1`, [ctid])
      planted.push(`differs ${table} ${row} ${column}`)
    }
    await change('1m', 3, 'open', 'open + 0.00000001')
    await change('1m', 9, 'close', 'close * 2')
    await change('1m', 15, 'high', 'high + 1')
    await change('1m', 21, 'low', 'low - 0.00000001')
    await change('1m', 27, 'quote_volume', 'quote_volume + 0.0000000000000001')
    await change('1m', 33, 'vwap', 'vwap + 1')
    await change('1m', 39, 'first_trade_id', 'first_trade_id + 1')
    await change('1m', 45, 'revision', 'revision + 1')
    await change('1m', 51, 'taker_buy_quote_volume', 'taker_buy_quote_volume + 1')
    // The same number, and other bytes.
    await change('5m', 2, 'volume', "(volume::text || '0')::numeric")
    await change('15m', 1, 'trade_count', 'trade_count - 1')
    await change('1d', 0, 'taker_buy_volume', 'taker_buy_volume + 1')
    for (const [interval, skip] of [
      ['1m', 57],
      ['1h', 0],
    ] as const) {
      const table = `fact_realtime_trades_${interval}`
      const { ctid, row } = await keys(table, skip)
      await pool.query(`DELETE FROM ${table} WHERE ctid = $1`, [ctid])
      planted.push(`missing ${table} ${row} `)
    }
    const extra = await keys('fact_realtime_trades_1m', 60)
    await pool.query(
      `INSERT INTO fact_realtime_trades_1m SELECT market, 'DOGEUSDT', interval, open_time, open, high, low, close, volume, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, vwap, first_trade_id, last_trade_id, is_closed, revision, row_owner
       FROM fact_realtime_trades_1m WHERE ctid = $1`,
      [extra.ctid],
    )
    planted.push(`extra fact_realtime_trades_1m ${extra.row.replace(/ \w+ /, ' DOGEUSDT ')} `)
    const letters = await pool.query<{ ctid: string; row: string }>(
      `SELECT ctid::text, topic || '/' || partition || ' offset ' || lpad("offset"::text, 12) || ', ' || operator || ' ' || ordinal AS row FROM dead_letter ORDER BY partition, "offset", operator, ordinal`,
    )
    const letter = (n: number) => letters.rows[n] as { ctid: string; row: string }
    await pool.query(`UPDATE dead_letter SET detail = detail || '!' WHERE ctid = $1`, [letter(2).ctid])
    planted.push(`differs dead_letter ${letter(2).row} detail`)
    await pool.query(`UPDATE dead_letter SET payload = payload || '\\x00'::bytea WHERE ctid = $1`, [letter(5).ctid])
    planted.push(`differs dead_letter ${letter(5).row} payload`)
    await pool.query(`DELETE FROM dead_letter WHERE ctid = $1`, [letter(8).ctid])
    planted.push(`missing dead_letter ${letter(8).row} `)
    const kline = await keys('raw_klines', 70)
    await pool.query(`UPDATE raw_klines SET trade_count = trade_count + 1 WHERE ctid = $1`, [kline.ctid])
    planted.push(`exchange fact_realtime_trades_1m ${kline.row} trade_count`)
    const missed = await keys('raw_klines', 80)
    const between = await pool.query<{ row: string }>(
      `INSERT INTO raw_klines SELECT market, symbol, interval, free.open_time, open, high, low, close, volume, close_time, quote_volume, 7, taker_buy_volume, taker_buy_quote_volume, source
       FROM raw_klines AS known, LATERAL (
         SELECT minute AS open_time FROM generate_series((SELECT min(open_time) FROM raw_klines), (SELECT max(open_time) FROM raw_klines), interval '1 minute') AS minute
         WHERE NOT EXISTS (SELECT FROM raw_klines AS other WHERE other.symbol = known.symbol AND other.open_time = minute)
           AND minute > (SELECT min(open_time) FROM raw_klines AS other WHERE other.symbol = known.symbol) AND minute < (SELECT max(open_time) FROM raw_klines AS other WHERE other.symbol = known.symbol)
         LIMIT 1) AS free
       WHERE known.ctid = $1
       RETURNING market || ' ' || symbol || ' ' || to_char(open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS row`,
      [missed.ctid],
    )
    planted.push(`exchange fact_realtime_trades_1m ${between.rows[0]?.row} candle`)
    expect(planted).toHaveLength(20)
    expect((await run()).differences.map(said).sort()).toEqual(planted.sort())
  })
})

describe('a verification of a part', { timeout: 60_000 }, () => {
  const start = Date.parse('2026-01-15T10:00:00Z')
  const minute = 60_000
  const record = (id: number, time: number, more = {}) => ({
    partition: 0,
    key: Buffer.from('BTCUSDT'),
    timestamp: time,
    value: Buffer.from(
      JSON.stringify({
        ...{ e: 'trade', E: time, s: 'BTCUSDT', t: id, p: '10.00', q: '1.00', T: time, m: false, M: true },
        ...more,
      }),
    ),
  })
  const every5s = (firstId: number, from: number, count: number) =>
    Array.from({ length: count }, (_, i) => record(firstId + i, from + i * 5_000))

  const verified = async (records: readonly OutgoingRecord[], from: number, to: number) => {
    const world = await batchWorld()
    const recorded = new PostgresCheckpointStore(world.db.connection, { schema: world.db.schema })
    try {
      await world.live(records, 'drain')
      return await verify(world.pool, {
        ...{ pipeline: realtime(world.trades), topic: 'trades', store: world.archive, recorded, limits: {}, from, to },
        signal: new AbortController().signal,
      })
    } finally {
      await recorded.close()
      await world.close()
    }
  }

  it('has the candles before a silence closed as they were, by what came behind it', async () => {
    const records = [...every5s(1, start, 120), ...every5s(121, start + 200 * minute, 120)]
    const found = await verified(records, start, start + 60 * minute)
    expect(found.differences).toEqual([])
    // Ten of a minute, two of five minutes, one each of 15 minutes and of an hour.
    expect(found.candles).toBe(14)
  })

  it('knows a record again that first came long before the range', async () => {
    const records = [...every5s(1, start, 600), record(20, start + 95_000), ...every5s(601, start + 50 * minute, 60)]
    const found = await verified(records, start + 45 * minute, start + 53 * minute)
    expect(found.differences).toEqual([])
  })

  it('has in it what was fetched long after the range for a gap that is open still', async () => {
    const gap = gapFrame({
      ...{ type: 'gap', market: 'spot', symbol: 'BTCUSDT', epoch: 0, firstId: 13, lastId: 24, state: 'open' },
      ...{ fromTime: start + 55_000, toTime: start + 2 * minute, missing: 12, revision: 1, reason: '' },
      ...{ seenAt: start + 2 * minute, at: start + 2 * minute },
    })
    const fetched = record(13, start + minute, { fill: true })
    const records = [
      ...every5s(1, start, 12),
      { ...fetched, timestamp: start + 2 * minute, value: gap },
      ...every5s(25, start + 2 * minute, 1_800),
      { ...fetched, timestamp: start + 152 * minute },
      ...every5s(1_825, start + 152 * minute, 60),
    ]
    const found = await verified(records, start, start + 15 * minute)
    expect(found.differences).toEqual([])
    expect(found.candles).toBe(15 + 3 + 1)
  })

  it('ends where the range has settled, whatever record there has a time that is none', async () => {
    const absurd = record(10_000, start + 400 * 24 * hour)
    const records = [...every5s(1, start, 180), absurd, ...every5s(181, start + 15 * minute, 1_800)]
    const found = await verified(records, start, start + 15 * minute)
    expect(found.differences).toEqual([])
    // What ends in the middle of an object is read to its end.
    expect(found.records).toBeLessThan(1_000)
  })
})
