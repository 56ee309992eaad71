import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startOrJoin } from '../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../src/embedded/log/embeddedLog.ts'
import { tradeCodec } from '../src/market/tradeCodec.ts'
import { realtime } from '../src/pipelines/realtime.ts'
import { systemClock } from '../src/runtime/clock.ts'
import type { OutgoingRecord } from '../src/runtime/log/log.ts'
import { Worker } from '../src/runtime/worker/worker.ts'
import { rawArchive } from '../src/sinks/archive/rawArchive.ts'
import { directoryStore } from '../src/sinks/objects/directoryStore.ts'
import { PostgresCheckpointStore } from '../src/sinks/postgres/checkpointStore.ts'
import { openPool } from '../src/sinks/postgres/connection.ts'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { simulatedFrames, simulatedSymbols } from '../src/sources/simulator/simulatedFrames.ts'
import { peakRssMb } from './measure/peakRss.ts'

const partitions = 4
const from = 1_723_161_600_000

export interface EndToEndRun {
  readonly recordsPerSecond: number
  /** Highest resident set of the worker's process. */
  readonly peakRssMb: number
}

/**
 * A backlog in the embedded log through the realtime pipeline (all six intervals) into committed rows: from the worker's start to its last commit, wall time,
 * with PostgreSQL on the same machine. The worker is a process of its own, so that its memory is its own.
 */
export async function benchEndToEnd(records: number, hasArchive: boolean): Promise<EndToEndRun> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  const server = await startOrJoin(folder)
  const pool = openPool(server.connection, { schema: 'public', maxConnections: 2 })
  try {
    await migrate(pool, 'public')
    await fill(await EmbeddedLog.open({ pool, topic: 'bench', partitions }), records)
    const self = fileURLToPath(import.meta.url)
    const { stdout } = await promisify(execFile)(process.execPath, [
      self,
      'worker',
      folder,
      String(records),
      String(hasArchive),
    ])
    return JSON.parse(stdout) as EndToEndRun
  } finally {
    await pool.end()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runWorker(folder: string, records: number, hasArchive: boolean): Promise<EndToEndRun> {
  const server = await startOrJoin(folder)
  const pool = openPool(server.connection, { schema: 'public', maxConnections: partitions + 1 })
  const store = new PostgresCheckpointStore(server.connection, { schema: 'public', maxConnections: partitions })
  try {
    const worker = new Worker({
      pipeline: realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })),
      source: await EmbeddedLog.open({ pool, topic: 'bench', partitions }),
      store,
      archive: hasArchive ? rawArchive({ store: directoryStore(join(folder, 'archive')) }) : null,
      clock: systemClock,
    })
    const startedAt = performance.now()
    const running = worker.run()
    worker.stop('drain')
    await running
    const seconds = (performance.now() - startedAt) / 1_000
    const committed = worker.status().reduce((sum, task) => sum + task.committedOffset, 0)
    if (committed !== records) throw new Error(`${committed} of ${records} records were committed`)
    return {
      recordsPerSecond: Math.round(records / seconds),
      peakRssMb: peakRssMb(),
    }
  } finally {
    await store.close()
    await pool.end()
    await server.stop()
  }
}

async function fill(log: EmbeddedLog, records: number): Promise<void> {
  const writer = log.writer()
  await writer.claim('bench')
  const symbols = simulatedSymbols(partitions)
  const partitionOf = new Map(symbols.map((symbol, partition) => [symbol, partition]))
  let pending: OutgoingRecord[] = []
  let made = 0
  for (const value of simulatedFrames({
    seed: 1,
    symbols,
    from,
    count: records,
    tradesPerSecond: records / 3_600,
    bare: true,
  })) {
    const symbol = value.toString('latin1', value.indexOf('SIM'), value.indexOf('SIM') + 12)
    pending.push({ partition: partitionOf.get(symbol) ?? 0, timestamp: from, key: Buffer.from(symbol), value })
    made += 1
    if (pending.length === 10_000 || made === records) {
      await writer.append(pending, String(made))
      pending = []
    }
  }
  await writer.close()
}

if (import.meta.main) {
  const [role, folder = '', records = '', hasArchive = ''] = process.argv.slice(2)
  const run =
    role === 'worker'
      ? await runWorker(folder, Number(records), hasArchive === 'true')
      : await benchEndToEnd(1_000_000, role === 'archive')
  console.log(JSON.stringify(run))
}
