import type { OutgoingRecord } from '../src/runtime/log/log.ts'
import { mostAhead, ReadAhead } from '../src/runtime/log/readAhead.ts'
import { StreamTask } from '../src/runtime/task/streamTask.ts'
import { encodeRecordBatch } from '../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../src/sources/recordBatch/walker.ts'
import { simulatedFrames } from '../src/sources/simulator/simulatedFrames.ts'
import { benchPipeline } from './kafka/benchPipeline.ts'

const batchRecords = 5_000

/** Trades of an invented market as stored batches of bytes, made before the clock runs. */
export function tradeBatches(symbols: number, records: number, tradesPerSecond: number): Buffer[] {
  const batches: Buffer[] = []
  let pending: OutgoingRecord[] = []
  let offset = 0
  const flush = () => {
    batches.push(encodeRecordBatch(offset, pending))
    offset += pending.length
    pending = []
  }
  const options = { seed: 1, symbols, from: 1_723_161_600_000, count: records, tradesPerSecond, bare: true }
  for (const value of simulatedFrames(options)) {
    pending.push({ partition: 0, timestamp: 1_723_161_600_000, key: null, value })
    if (pending.length === batchRecords) flush()
  }
  if (pending.length > 0) flush()
  return batches
}

export interface MemoryRun {
  readonly recordsPerSecond: number
  readonly rows: number
  /** ns a record in each tenth of the run, to see whether the cost stays flat as event time goes on. */
  readonly tenths: readonly number[]
}

/**
 * How often the state is cut: about four times a second at a million records a second. What checkpoints cost has a figure of its own.
 */
const recordsPerCut = 250_000

/**
 * One pass over the batches through a fresh task, cuts included. CPU time of the process with its collector, not wall time.
 * @param most records that are read ahead; with 1 each goes by itself
 */
export function runInMemory(batches: readonly Buffer[], most: number): MemoryRun {
  const task = new StreamTask(benchPipeline, null, 0)
  const ahead = new ReadAhead(most)
  const credit = {
    maxUncommittedRecords: recordsPerCut,
    maxUncommittedBytes: Number.POSITIVE_INFINITY,
    maxUncommittedResults: Number.POSITIVE_INFINITY,
    maxUncommittedResultBytes: Number.POSITIVE_INFINITY,
  }
  const batch = new RecordBatchWalker('bench', 0)
  const tenths: number[] = []
  let rows = 0
  let count = 0
  let countAtTenth = 0
  const start = process.cpuUsage()
  let tenthStart = start
  const tenth = Math.ceil(batches.length / 10)
  for (const [index, bytes] of batches.entries()) {
    batch.load(bytes)
    while (ahead.next(batch)) {
      const before = task.uncutRecords
      if (most > 1) task.pushAhead(ahead, 0, credit, null)
      else task.push(ahead.show())
      count += task.uncutRecords - before
      if (task.uncutRecords >= recordsPerCut) rows += rowsOf(task)
    }
    ahead.release()
    if ((index + 1) % tenth === 0 || index === batches.length - 1) {
      tenths.push(Math.round((micros(tenthStart) * 1_000) / (count - countAtTenth)))
      tenthStart = process.cpuUsage()
      countAtTenth = count
    }
  }
  return { recordsPerSecond: Math.round((count * 1e6) / micros(start)), rows: rows + rowsOf(task), tenths }
}

function rowsOf(task: StreamTask): number {
  return task.cut({ now: 0, isFinal: false }).writes.reduce((sum, write) => sum + write.rows.length, 0)
}

function micros(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return user + system
}

/**
 * Median records a second of CPU for each number of symbols. Three symbols trade for an hour of event time; of many symbols each trades about once a second, so
 * that the figure is about records and their state, and not about writing a candle for every other record.
 */
export function benchMemory(
  symbolCounts: readonly number[] = [3, 1_000, 10_000],
  records = 1_000_000,
  most = mostAhead,
): Record<string, MemoryRun> {
  const result: Record<string, MemoryRun> = {}
  for (const symbols of symbolCounts) {
    const batches = tradeBatches(symbols, records, Math.max(records / 3_600, symbols))
    const runs = [1, 2, 3, 4, 5].map(() => runInMemory(batches, most))
    result[symbols] = runs.sort((a, b) => a.recordsPerSecond - b.recordsPerSecond)[2] as MemoryRun
  }
  return result
}

if (import.meta.main) console.log(JSON.stringify(benchMemory(), null, 2))
