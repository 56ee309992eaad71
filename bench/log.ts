import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOrJoin } from '../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../src/embedded/log/embeddedLog.ts'
import type { LogReader, LogSource, LogWriter, OutgoingRecord } from '../src/runtime/log/log.ts'
import { mostAhead, ReadAhead } from '../src/runtime/log/readAhead.ts'
import { RecordView } from '../src/runtime/log/record.ts'
import { openPool } from '../src/sinks/postgres/connection.ts'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { checksum } from '../src/sources/recordBatch/checksum.ts'
import { encodeRecordBatch } from '../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../src/sources/recordBatch/walker.ts'
import { MemoryLog } from '../src/testing/memoryLog.ts'

export interface LogBench {
  /** How large a record of these benchmarks is, inside its batch. */
  readonly record_bytes: number
  readonly crc32c_gb_per_s: number
  readonly encode_records_per_s: number
  /** Checksum included. */
  readonly walk_records_per_s: number
  /** The same into the columns of records that are read ahead. */
  readonly walk_together_records_per_s: number
  readonly memory_fetch_records_per_s: number
  readonly embedded_append_records_per_s: number
  readonly embedded_fetch_records_per_s: number
}

const BATCH_RECORDS = 1_000
const APPENDS = 100
const PARTITIONS = 4
const ROUNDS = 5

/** Measures the logs; each number is the best of some rounds, so that a busy neighbour matters less. */
export async function benchLog(): Promise<LogBench> {
  const records = trades(BATCH_RECORDS)
  const batch = encodeRecordBatch(0, records)
  const joined = Buffer.concat(Array.from({ length: 10 }, () => batch))
  const walker = new RecordBatchWalker('bench', 0)
  const view = new RecordView()
  const walk = () => {
    walker.load(batch)
    let bytes = 0
    while (walker.read(view)) bytes += view.valueLength
    return bytes
  }
  const ahead = new ReadAhead(mostAhead)
  const walkTogether = () => {
    walker.load(batch)
    let records = 0
    for (; ahead.next(walker); ahead.at = ahead.count - 1) records += ahead.count
    return records
  }

  const memory = new MemoryLog({ partitions: PARTITIONS })
  const embedded = await withEmbeddedLog(async (log) => ({
    append: APPENDS * BATCH_RECORDS * (await perSecond(1, 1, () => append(log.writer()))),
    fetch: APPENDS * BATCH_RECORDS * (await perSecond(ROUNDS, 1, () => readAll(log))),
  }))
  await append(memory.writer())
  return {
    record_bytes: Math.round(batch.length / BATCH_RECORDS),
    crc32c_gb_per_s: (joined.length * (await perSecond(ROUNDS, 100, () => checksum(joined, 0, joined.length)))) / 1e9,
    encode_records_per_s: BATCH_RECORDS * (await perSecond(ROUNDS, 200, () => encodeRecordBatch(0, records))),
    walk_records_per_s: BATCH_RECORDS * (await perSecond(ROUNDS, 1_000, walk)),
    walk_together_records_per_s: BATCH_RECORDS * (await perSecond(ROUNDS, 1_000, walkTogether)),
    memory_fetch_records_per_s: APPENDS * BATCH_RECORDS * (await perSecond(ROUNDS, 5, () => readAll(memory))),
    embedded_append_records_per_s: embedded.append,
    embedded_fetch_records_per_s: embedded.fetch,
  }
}

function trades(count: number): OutgoingRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const trade = {
      e: 'trade',
      E: 1_700_000_000_000 + index,
      s: 'BTCUSDT',
      t: 100_000 + index,
      p: '36542.10000000',
      q: '0.00150000',
    }
    const value = Buffer.from(JSON.stringify(trade))
    return { partition: index % PARTITIONS, timestamp: trade.E, key: Buffer.from('BTCUSDT'), value }
  })
}

async function append(writer: LogWriter): Promise<void> {
  const records = trades(BATCH_RECORDS)
  await writer.claim('bench')
  for (let turn = 0; turn < APPENDS; turn++) await writer.append(records, String(turn))
  await writer.close()
}

async function readAll(log: LogSource): Promise<void> {
  const counts = await Promise.all((await log.partitions()).map((partition) => count(log.reader(partition))))
  const total = counts.reduce((sum, records) => sum + records, 0)
  if (total !== APPENDS * BATCH_RECORDS) throw new Error(`read ${total} records of ${APPENDS * BATCH_RECORDS}`)
}

async function count(reader: LogReader): Promise<number> {
  const view = new RecordView()
  let records = 0
  for (;;) {
    const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 })
    if (batch === null) break
    while (batch.read(view)) records++
  }
  await reader.close()
  return records
}

async function perSecond(rounds: number, turns: number, work: () => unknown): Promise<number> {
  let best = 0
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    for (let turn = 0; turn < turns; turn++) await work()
    best = Math.max(best, (turns * 1000) / (performance.now() - start))
  }
  return best
}

async function withEmbeddedLog<Result>(work: (log: EmbeddedLog) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const server = await startOrJoin(folder)
  const pool = openPool(server.connection, { schema: 'public' })
  try {
    await migrate(pool, 'public')
    const log = await EmbeddedLog.open({ pool, topic: 'bench', partitions: PARTITIONS })
    return await work(log)
  } finally {
    await pool.end()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const results = await benchLog()
  for (const [name, value] of Object.entries(results)) console.log(name.padEnd(32), format(value))
  console.log(JSON.stringify(results))
}

function format(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toFixed(2)
}
