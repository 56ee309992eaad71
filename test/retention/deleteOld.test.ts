import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { reconcile } from '../../src/queries/reconcile.ts'
import { retentionFacts } from '../../src/queries/retention.ts'
import { countOld, deleteOld } from '../../src/retention/deleteOld.ts'
import { keepKinds } from '../../src/retention/keepKinds.ts'
import { openConnection } from '../../src/sinks/postgres/connection.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.pool.query(
    'CREATE TABLE indicator (market text, symbol text, interval text, open_time timestamptz, indicator text, line text, value double precision, is_complete boolean, revision integer, row_owner integer)',
  )
})
afterAll(() => db.close())

const day = 86_400_000
const never = new AbortController().signal
const keep = (days: number, ...kinds: readonly string[]) => new Map(kinds.map((kind) => [kind, days * day]))

async function count(table: string, where = 'true'): Promise<number> {
  const { rows } = await db.pool.query<{ count: string }>(`SELECT count(*) FROM ${table} WHERE ${where}`)
  return Number(rows[0]?.count)
}

/** A candle a day of the symbol, as many as there are days, the newest a day before the watermark of its task. */
async function candles(symbol: string, days: number, watermark: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at, next_offset, watermark)
     VALUES ('realtime', $1, 0, 1, 'h', now(), 1, (extract(epoch FROM ${watermark}) * 1000)::bigint)`,
    [symbol],
  )
  await db.pool.query(
    `WITH o AS (INSERT INTO row_owner (pipeline, topic, partition) VALUES ('realtime', $1, 0) RETURNING id)
     INSERT INTO fact_realtime_trades_1m
     SELECT 'spot', $1, '1m', date_trunc('minute', ${watermark}) - n * interval '1 day' + interval '1 hour', 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, true, 1, o.id FROM o, generate_series(1, $2::int) AS n`,
    [symbol, days],
  )
}

beforeEach(async () => {
  await db.pool.query(
    'TRUNCATE fact_realtime_trades_1m, stream_task, row_owner, row_writer, retention, dead_letter, feed_gap, batch_run, raw_klines, candle_difference',
  )
})

describe('deleteOld', () => {
  it('deletes candles that are older than they are to be kept before where their task is in event time', async () => {
    await candles('LIVE', 10, 'now()')
    await candles('TAPE', 10, "timestamptz '2020-06-01'")
    expect(await countOld(db.pool, keep(4, 'candles-1m'))).toEqual([{ kind: 'candles-1m', rows: 12 }])
    expect(await deleteOld(db.pool, keep(4, 'candles-1m'), never)).toEqual([{ kind: 'candles-1m', rows: 12 }])
    expect([
      await count('fact_realtime_trades_1m', "symbol = 'LIVE'"),
      await count('fact_realtime_trades_1m', "symbol = 'TAPE'"),
    ]).toEqual([4, 4])
    expect(await deleteOld(db.pool, keep(4, 'candles-1m'), never)).toEqual([{ kind: 'candles-1m', rows: 0 }])
  })

  it('keeps candles that may still change: open ones, those of an open gap, and all of a task that has no time yet', async () => {
    await candles('GAP', 10, 'now()')
    await candles('OPEN', 10, 'now()')
    await candles('NOTIME', 10, 'now()')
    await db.pool.query("UPDATE stream_task SET watermark = NULL WHERE topic = 'NOTIME'")
    await db.pool.query("UPDATE fact_realtime_trades_1m SET is_closed = false WHERE symbol = 'OPEN'")
    await db.pool.query(
      `INSERT INTO feed_gap (market, symbol, epoch, first_id, last_id, from_time, to_time, state, missing, reason, seen_at, revision)
       SELECT market, symbol, 0, 1, 2, open_time - interval '1 hour', open_time + interval '1 hour', 'open', 2, '', now(), 1
       FROM fact_realtime_trades_1m WHERE symbol = 'GAP' ORDER BY open_time LIMIT 1`,
    )
    await deleteOld(db.pool, keep(4, 'candles-1m'), never)
    expect(await count('fact_realtime_trades_1m', "symbol = 'GAP'")).toBe(5)
    expect(await count('fact_realtime_trades_1m', "symbol IN ('OPEN', 'NOTIME')")).toBe(20)
    await db.pool.query("UPDATE feed_gap SET state = 'filled', filled_at = now()")
    await deleteOld(db.pool, keep(4, 'candles-1m'), never)
    expect(await count('fact_realtime_trades_1m', "symbol = 'GAP'")).toBe(4)
  })

  it('of two at once deletes each row once, in steps', async () => {
    await candles('MANY', 12_003, 'now()')
    const [a, b] = await Promise.all([1, 2].map(() => deleteOld(db.pool, keep(3, 'candles-1m'), never)))
    expect((a?.[0]?.rows ?? 0) + (b?.[0]?.rows ?? 0)).toBe(12_000)
    expect(await count('fact_realtime_trades_1m')).toBe(3)
    const client = await openConnection(db.connection, {
      schema: db.schema,
      applicationName: 'test',
      connectTimeoutMs: 5_000,
    })
    expect(await retentionFacts(client)).toMatchObject([{ kind: 'candles-1m', keepMs: 3 * day, deletedRows: 12_000 }])
    await client.end()
  })

  it('has the comparison with the exchange not take what was deleted for what is missing', async () => {
    await candles('AAA', 10, 'now()')
    await db.pool.query(
      `INSERT INTO raw_klines SELECT market, symbol, interval, open_time, 1, 1, 1, 1, 1, open_time, 1, 1, 0, 0, 'rest' FROM fact_realtime_trades_1m`,
    )
    // One that a gap has kept, so that what lies behind it is between candles of ours.
    await db.pool.query(
      `INSERT INTO feed_gap (market, symbol, epoch, first_id, last_id, from_time, to_time, state, missing, reason, seen_at, revision)
       SELECT market, symbol, 0, 1, 2, open_time - interval '1 hour', open_time, 'open', 2, '', now(), 1 FROM fact_realtime_trades_1m ORDER BY open_time LIMIT 1`,
    )
    await deleteOld(db.pool, keep(4, 'candles-1m'), never)
    const client = await openConnection(db.connection, {
      schema: db.schema,
      applicationName: 'test',
      connectTimeoutMs: 5_000,
    })
    expect(await reconcile(client, { symbols: null, from: null, to: null })).toMatchObject({
      compared: 5,
      openCount: 0,
    })
    await client.end()
  })

  it('deletes runs that are done, and failures that were mended, and keeps failures that wait for somebody', async () => {
    const run = (from: number, attempt: number, state: string, error: string | null) =>
      db.pool.query(
        `INSERT INTO batch_run (pipeline, interval_from, interval_to, attempt, run_id, state, cause, not_before, ended_at, error)
         VALUES ('daily', to_timestamp($1::float8), to_timestamp($1::float8 + 1), $2::int, $5, $3, 'schedule', now(), now() - interval '9 days', $4)`,
        [from, attempt, state, error, `${from}/${attempt}`],
      )
    await run(1, 1, 'done', null)
    await run(2, 1, 'failed', 'no')
    await run(2, 2, 'done', null)
    await run(3, 1, 'failed', 'no')
    await deleteOld(db.pool, keep(3, 'runs'), never)
    expect((await db.pool.query('SELECT run_id FROM batch_run')).rows).toEqual([{ run_id: '3/1' }])
  })

  it('knows tables and columns of every kind', async () => {
    const all = keep(30, ...keepKinds.keys())
    expect((await deleteOld(db.pool, all, never)).map(({ kind }) => kind)).toEqual([...keepKinds.keys()])
    expect((await countOld(db.pool, all)).every(({ rows }) => rows === 0)).toBe(true)
  })
})
