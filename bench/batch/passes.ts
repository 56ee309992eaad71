import { join } from 'node:path'
import type pg from 'pg'
import { batchPass } from '../../src/batch/batchPass.ts'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { prepareDatabase } from '../../src/host/prepareDatabase.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { silverBoundary } from '../../src/pipelines/silverBoundary.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { peakRssMb } from '../measure/peakRss.ts'
import { dbtBuild } from './dbtBuild.ts'

const symbols = 3
const times = 3

/** Passes over klines of three symbols, through silver, checks, gold and a lake in a directory, and dbt over the same klines: seconds, the best of three where it can be repeated. */
export async function benchPasses(folder: string, minutes: number): Promise<Record<string, number | null>> {
  const server = await startOrJoin(join(folder, 'postgres'))
  try {
    const schema = 'public'
    await prepareDatabase(server.connection, schema)
    const pool = openPool(server.connection, { schema, maxConnections: 1 })
    const ofEach = Math.floor(minutes / symbols)
    await bring(pool, 0, ofEach)
    let passes = 0
    const pass = async (isFull = false) => {
      const startedAt = performance.now()
      await batchPass(
        {
          trades: tradeCodec({ market: 'spot', timeUnit: 'ms' }),
          archive: directoryStore(join(folder, 'archive')),
          lake: { store: directoryStore(join(folder, 'lake')), keyPrefix: '', catalog: 'millrace' },
          isFull,
          quality: silverBoundary,
        },
        {
          database: { address: server.connection, schema },
          runId: `bench ${++passes}`,
          signal: new AbortController().signal,
        },
      )
      return (performance.now() - startedAt) / 1_000
    }
    const before = process.cpuUsage()
    const full = await pass()
    const cpu = process.cpuUsage(before)
    const again = await pass(true)
    let nothing = Number.POSITIVE_INFINITY
    let five = Number.POSITIVE_INFINITY
    for (let i = 0; i < times; i++) {
      nothing = Math.min(nothing, await pass())
      await bring(pool, ofEach + 5 * i, ofEach + 5 * (i + 1))
      five = Math.min(five, await pass())
    }
    await pool.end()
    const dbt = dbtBuild(join(folder, 'dbt'), server.connection)
    const round = (seconds: number) => Math.round(seconds * 1_000) / 1_000
    return {
      pass_minutes: ofEach * symbols,
      pass_full_s: round(full),
      pass_full_cpu_s: round((cpu.user + cpu.system) / 1e6),
      pass_full_again_s: round(again),
      pass_nothing_new_s: round(nothing),
      pass_five_minutes_s: round(five),
      dbt_build_s: dbt,
      pass_peak_rss_mb: peakRssMb(),
    }
  } finally {
    await server.stop()
  }
}

/** Minutes of each symbol from, inclusive, to, exclusive. */
async function bring(pool: pg.Pool, from: number, to: number): Promise<void> {
  await pool.query(
    `INSERT INTO raw_klines
     SELECT 'spot', symbol, '1m', open_time, 61000.25 + n % 97, 61100 + n % 97, 60900.5 + n % 97, 61010.75 + n % 97, 1.5 + n % 7, open_time + interval '59999 milliseconds',
       (1.5 + n % 7) * 61000.5, 10 + n % 11, 0.5 + n % 2, (0.5 + n % 2) * 61000.5, 'rest'
     FROM unnest(ARRAY['BTCUSDT', 'ETHUSDT', 'SOLUSDT']) AS symbol, generate_series($1::int, $2::int - 1) AS n,
       LATERAL (SELECT timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute' AS open_time) AS minute`,
    [from, to],
  )
}
