import { type BatchCounts, type BatchJob, batchPass } from '../../src/batch/batchPass.ts'
import type { LakePlace } from '../../src/lake/lakeCommit.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import type { StopMode } from '../../src/runtime/worker/stopMode.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../src/sinks/archive/rawArchive.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { MemoryObjectStore } from '../../src/testing/memoryObjectStore.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

/** A kline as the exchange tells it, minute by minute. */
export interface Kline {
  readonly symbol: string
  /** ms UTC */
  readonly openTime: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly quoteVolume: string
  readonly tradeCount: number
  readonly takerBuyVolume: string
  readonly takerBuyQuoteVolume: string
}

const upsertKlines = `INSERT INTO raw_klines AS known (market, symbol, interval, open_time, open, high, low, close, volume, close_time, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, source)
SELECT 'spot', symbol, '1m', timestamptz 'epoch' + open_ms * interval '1 millisecond', open, high, low, close, volume, timestamptz 'epoch' + (open_ms + 59999) * interval '1 millisecond',
  round(quote_volume, 8), trade_count, taker_buy_volume, round(taker_buy_quote_volume, 8), 'rest'
FROM jsonb_to_recordset($1) AS k (symbol text, open_ms float8, open numeric, high numeric, low numeric, close numeric, volume numeric, quote_volume numeric, trade_count bigint, taker_buy_volume numeric, taker_buy_quote_volume numeric)
ON CONFLICT (market, symbol, interval, open_time) DO UPDATE SET close = excluded.close, high = excluded.high, volume = excluded.volume, quote_volume = excluded.quote_volume, trade_count = excluded.trade_count`

export const goldTables = ['5m', '15m', '1h', '4h', '1d'].map((interval) => `gold_klines_${interval}`)

/** A live run of trades, its archive and a lake, and passes over them. */
export async function batchWorld(partitions = 1) {
  const db: TestDatabase = await testDatabase()
  const { connection: address, schema, pool } = db
  const log = new MemoryLog({ topic: 'trades', partitions })
  const archive = new MemoryObjectStore()
  const lakeStore = new MemoryObjectStore()
  const lake: LakePlace = { store: lakeStore, keyPrefix: '', catalog: 'millrace' }
  const trades = tradeCodec({ market: 'spot', timeUnit: 'ms' })

  /** Brings records in and has the live pipeline process and archive them. */
  async function live(records: readonly OutgoingRecord[], mode: StopMode = 'settle'): Promise<void> {
    log.add(...records.map((record) => ({ ...record })))
    const store = new PostgresCheckpointStore(address, { schema })
    const worker = new Worker({
      pipeline: realtime(trades),
      source: log,
      store,
      archive: rawArchive({ store: archive, maxRecords: 500 }),
      clock: systemClock,
    })
    const running = worker.run()
    worker.stop(mode === 'settle' ? 'drain' : mode)
    await running
    await store.close()
  }

  const klines = (rows: readonly Kline[]) =>
    pool.query(upsertKlines, [
      JSON.stringify(
        rows.map((row) => ({
          ...row,
          open_ms: row.openTime,
          quote_volume: row.quoteVolume,
          trade_count: row.tradeCount,
          taker_buy_volume: row.takerBuyVolume,
          taker_buy_quote_volume: row.takerBuyQuoteVolume,
        })),
      ),
    ])

  let runs = 0
  /** What passes have told of. */
  const told: string[] = []
  const pass = (more: Partial<BatchJob> = {}): Promise<BatchCounts> =>
    batchPass(
      { trades, archive, lake, ...more },
      {
        ...{ database: { address, schema }, runId: `run-${++runs}`, signal: new AbortController().signal },
        tell: async (_, text) => void told.push(text),
      },
    )

  /** Canonical rows of silver and gold. */
  async function dump(): Promise<Record<string, readonly string[]>> {
    const tables: Record<string, readonly string[]> = {}
    for (const table of ['silver_klines_1m', ...goldTables]) {
      const { rows } = await pool.query<{ text: string }>(
        `SELECT row_to_json(t)::text AS text FROM ${table} t ORDER BY market, symbol, open_time`,
      )
      tables[table] = rows.map(({ text }) => text)
    }
    return tables
  }

  return { db, pool, live, klines, pass, told, dump, archive, lake, lakeStore, log, trades, close: () => db.close() }
}
