import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tradeCodec } from '../src/codecs/tradeCodec.ts'
import { startOrJoin } from '../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../src/embedded/log/embeddedLog.ts'
import { realtime } from '../src/pipelines/realtime.ts'
import { systemClock } from '../src/runtime/clock.ts'
import type { OutgoingRecord } from '../src/runtime/log.ts'
import { Worker } from '../src/runtime/worker.ts'
import { rawArchive } from '../src/sinks/archive/rawArchive.ts'
import { directoryStore } from '../src/sinks/objects/directoryStore.ts'
import { PostgresCheckpointStore } from '../src/sinks/postgres/checkpointStore.ts'
import { openPool } from '../src/sinks/postgres/connection.ts'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { simulatedFrames, simulatedSymbols } from '../src/sources/simulator/simulatedFrames.ts'

const partitions = 4
const from = 1_723_161_600_000

export interface EndToEndRun {
  readonly recordsPerSecond: number
  /** Highest resident set of the whole process, making the input included. */
  readonly peakRssMb: number
}

/**
 * A backlog in the embedded log through the realtime pipeline (all six intervals) into committed rows: from the worker's start to its last commit, wall time,
 * with PostgreSQL on the same machine.
 */
export async function runEndToEnd(records: number, hasArchive: boolean): Promise<EndToEndRun> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const server = await startOrJoin(folder)
  const pool = openPool(server.connection, { schema: 'public', maxConnections: partitions + 1 })
  const store = new PostgresCheckpointStore(server.connection, { schema: 'public', maxConnections: partitions })
  try {
    await migrate(pool, 'public')
    const log = await EmbeddedLog.open({ pool, topic: 'bench', partitions })
    await fill(log, records)
    const worker = new Worker({
      pipeline: realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })),
      source: log,
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
      peakRssMb: Math.round(process.resourceUsage().maxRSS / 1_024),
    }
  } finally {
    await store.close()
    await pool.end()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
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
  const [records = '1000000', archive = 'no'] = process.argv.slice(2)
  console.log(JSON.stringify(await runEndToEnd(Number(records), archive === 'archive')))
}
