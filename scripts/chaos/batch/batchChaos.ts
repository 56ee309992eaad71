import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { prepareDatabase } from '../../../src/host/prepareDatabase.ts'
import { sweepLake } from '../../../src/lake/lakeCleanup.ts'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import { goldIntervals } from '../../../src/pipelines/medallion.ts'
import { realtime } from '../../../src/pipelines/realtime.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { OutgoingRecord } from '../../../src/runtime/log/log.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { directoryStore } from '../../../src/sinks/objects/directoryStore.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { openPool, type PostgresConnection } from '../../../src/sinks/postgres/connection.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { Random } from '../../../src/testing/random.ts'
import { unkindTrades } from '../../../src/testing/unkind/unkindTrades.ts'
import type { PassPlace } from './passProcess.ts'

export interface BatchChaosOptions {
  readonly kills: number
  readonly seed: number
  /** Where schemas of its own may be made. */
  readonly address: PostgresConnection
  readonly say: (line: string) => void
}

/** What came of it, as it is printed. */
export interface BatchChaosSummary {
  /** Passes that were killed before they had ended, and those that had not been in time. */
  readonly kills: number
  readonly ended: number
  /** Rows of silver and gold, and how many differ from those of an undisturbed pass. */
  readonly rows: number
  readonly different: number
  /** Metadata that readers by path could see, and was not committed. */
  readonly uncommitted: number
  /** Files of the newest snapshots that are not there. */
  readonly lost: number
  /** Objects that no commit names: found by the first sweep, and left after it. */
  readonly swept: number
  readonly orphans: number
}

/** Fewer may be none at all: some seeds begin with nothing that counts. */
const leastTrades = 2_000
const program = fileURLToPath(new URL('./passProcess.ts', import.meta.url))
const tables = ['silver_klines_1m', ...goldIntervals.map((interval) => `gold_klines_${interval}`)]

/** Trades and klines come, and each pass over them is killed somewhere; what is left in the end is compared with what one undisturbed pass makes of the same. */
export async function chaosOnBatch({ kills, seed, address, say }: BatchChaosOptions): Promise<BatchChaosSummary> {
  const random = new Random(seed)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-batch-chaos-'))
  const killed = await BatchSite.open(address, `chaos_${process.pid}_${seed}`, join(folder, 'killed'))
  const calm = await BatchSite.open(address, `calm_${process.pid}_${seed}`, join(folder, 'calm'))
  try {
    const { records, candles } = unkindTrades({
      seed,
      trades: Math.max(leastTrades, kills * 40),
      maxOutOfOrdernessMs: 2_000,
      allowedLatenessMs: 30_000,
      hasGaps: true,
      averageStepMs: 10_000,
    })
    const minutes = candles.filter(({ interval }) => interval === '1m')
    // A pass that has nothing to do; one that has takes longer, and on a machine that was busy just then not so much.
    let longestMs = 4 * (await killed.pass(null)).tookMs
    let [killCount, ended, uncommitted] = [0, 0, 0]
    for (let round = 0; killCount < kills && round < 3 * kills; round++) {
      const from = Math.floor((records.length * round) / (3 * kills))
      const some = records.slice(from, Math.floor((records.length * (round + 1)) / (3 * kills)))
      const told = minutes.filter(() => random.chance(0.02))
      for (const site of [killed, calm]) {
        await site.live(some)
        await site.tell(told)
      }
      const { isDone, tookMs } = await killed.pass(random.int(0, Math.ceil(longestMs)))
      if (isDone) {
        ended += 1
        longestMs = Math.min(longestMs, tookMs)
      } else killCount += 1
      uncommitted += await killed.uncommitted()
      if (round % 5 === 0) say(`round ${round}: ${killCount} killed, ${ended} ended before`)
    }
    for (const site of [killed, calm]) await site.pass(null)
    const [left, right] = [await killed.rows(), await calm.rows()]
    const there = new Set(right)
    const same = left.filter((row) => there.has(row)).length
    const swept = await killed.sweep(true)
    const orphans = await killed.sweep(false)
    return {
      kills: killCount,
      ended,
      rows: right.length,
      different: left.length - same + right.length - same,
      uncommitted: uncommitted + (await killed.uncommitted()),
      lost: await killed.lost(),
      swept: swept.length,
      orphans: orphans.length,
    }
  } finally {
    await killed.close()
    await calm.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A schema with its archive and its lake. */
class BatchSite {
  readonly #place: PassPlace
  readonly #pool: pg.Pool
  readonly #log = new MemoryLog({ topic: 'trades' })

  private constructor(place: PassPlace, pool: pg.Pool) {
    this.#place = place
    this.#pool = pool
  }

  static async open(address: PostgresConnection, schema: string, folder: string): Promise<BatchSite> {
    await prepareDatabase(address, schema)
    const place = { address, schema, archive: join(folder, 'archive'), lake: join(folder, 'lake') }
    return new BatchSite(place, openPool(address, { schema, applicationName: 'millrace chaos' }))
  }

  async live(records: readonly OutgoingRecord[]): Promise<void> {
    const { address, schema, archive } = this.#place
    this.#log.add(...records)
    const store = new PostgresCheckpointStore(address, { schema })
    const worker = new Worker({
      pipeline: realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })),
      source: this.#log,
      store,
      archive: rawArchive({ store: directoryStore(archive) }),
      clock: systemClock,
    })
    const running = worker.run()
    worker.stop('drain')
    await running
    await store.close()
  }

  async tell(klines: readonly object[]): Promise<void> {
    await this.#pool.query(
      `INSERT INTO raw_klines AS known (market, symbol, interval, open_time, open, high, low, close, volume, close_time, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, source)
       SELECT 'spot', k.symbol, '1m', timestamptz 'epoch' + k."openTime" * interval '1 millisecond', k.open, k.high, k.low, k.close, k.volume, timestamptz 'epoch' + (k."openTime" + 59999) * interval '1 millisecond',
         round(k."quoteVolume", 8), k."tradeCount", k."takerBuyVolume", round(k."takerBuyQuoteVolume", 8), 'rest'
       FROM jsonb_to_recordset($1) AS k (symbol text, "openTime" float8, open numeric, high numeric, low numeric, close numeric, volume numeric, "quoteVolume" numeric, "tradeCount" bigint, "takerBuyVolume" numeric, "takerBuyQuoteVolume" numeric)
       ON CONFLICT DO NOTHING`,
      [JSON.stringify(klines)],
    )
  }

  /** Whether the pass had ended before it was to be killed, and how long it was at work; null never kills. */
  async pass(killAfterMs: number | null): Promise<{ readonly isDone: boolean; readonly tookMs: number }> {
    const child = spawn(process.execPath, [program, JSON.stringify(this.#place)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let told = ''
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      told += text
      if (told.includes('begins')) begin()
    })
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
    await Promise.race([begun, ended])
    const startedAt = performance.now()
    if (killAfterMs !== null) {
      await Promise.race([sleep(killAfterMs), ended])
      child.kill('SIGKILL')
    }
    await ended
    const isDone = told.includes('done')
    if (killAfterMs === null && !isDone) throw new Error('an undisturbed pass has failed; its error is above')
    return { isDone, tookMs: performance.now() - startedAt }
  }

  /** What readers by path may see, and is not committed. */
  async uncommitted(): Promise<number> {
    const { rows } = await this.#pool.query<{ name: string; sequence: number }>(
      'SELECT name, sequence::float8 AS sequence FROM lake_table',
    )
    const committed = new Map(rows.map(({ name, sequence }) => [name, sequence]))
    const shown = tables.flatMap((table) => {
      const metadata = join(this.#place.lake, 'market', table, 'metadata')
      const names = existsSync(metadata) ? readdirSync(metadata) : []
      return names.flatMap((name) => {
        const version = /^v(\d+)\.metadata\.json$/.exec(name)?.[1]
        return version !== undefined && Number(version) > (committed.get(`market.${table}`) ?? 0) ? [name] : []
      })
    })
    return shown.length
  }

  /** Files of the newest snapshots that are not there. */
  async lost(): Promise<number> {
    const { rows } = await this.#pool.query<{ table_name: string; path: string }>(
      'SELECT table_name, path FROM lake_file WHERE removed IS NULL UNION ALL SELECT table_name, path FROM lake_manifest WHERE removed IS NULL',
    )
    return rows.filter(({ table_name, path }) => !existsSync(join(this.#place.lake, ...table_name.split('.'), path)))
      .length
  }

  async sweep(isDeleting: boolean): Promise<readonly string[]> {
    const client = await this.#pool.connect()
    try {
      const place = { store: directoryStore(this.#place.lake), keyPrefix: '', catalog: 'millrace' }
      return await sweepLake(client, place, { isDeleting })
    } finally {
      client.release()
    }
  }

  async rows(): Promise<readonly string[]> {
    const all: string[] = []
    for (const table of tables) {
      const { rows } = await this.#pool.query<{ text: string }>(
        `SELECT '${table} ' || t::text AS text FROM ${table} AS t`,
      )
      all.push(...rows.map(({ text }) => text))
    }
    return all
  }

  async close(): Promise<void> {
    await this.#pool.query(`DROP SCHEMA ${this.#place.schema} CASCADE`)
    await this.#pool.end()
  }
}
