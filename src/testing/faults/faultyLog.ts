import type { Clock } from '../../runtime/clock.ts'
import { RetryableError } from '../../runtime/errors.ts'
import type {
  AssignmentListener,
  FetchOptions,
  LogBounds,
  LogReader,
  LogSource,
  RecordBatch,
} from '../../runtime/log/log.ts'
import { RecordView } from '../../runtime/log/record.ts'
import type { Random } from '../random.ts'
import type { Faults } from './faults.ts'
import { never, type SimulatedProcess } from './simulatedProcess.ts'

/** What disturbs a log: `faults` decide when, `random` how long and how much, and `process` is what they kill. */
export interface FaultyLogOptions {
  readonly faults: Faults
  readonly random: Random
  readonly process: SimulatedProcess
  readonly clock: Clock
  /** Fetches ask for a random number of bytes up to this. */
  readonly maxBytes: number
}

/** A log whose fetches differ in size each time, come late, come empty, end early or fail, and whose bounds come late. Its records are the inner log's. */
export function faultyLog(inner: LogSource, options: FaultyLogOptions): LogSource {
  const { process, clock, random } = options
  let listener: AssignmentListener | null = null

  /** Takes the partition away, and gives it back a while later. */
  async function rebalance(partition: number): Promise<void> {
    await listener?.onRevoke([partition])
    await clock.sleep(random.int(0, 1_000))
    listener?.onAssign([partition])
  }

  return {
    topic: inner.topic,
    partitions: () => (process.isAlive ? process.guard(inner.partitions()) : never()),
    async join(given) {
      if (!process.isAlive) return never()
      const membership = await process.guard(inner.join(guarded(given, process)))
      listener = guarded(given, process)
      return {
        reportProgress: (partition, nextOffset) => {
          if (process.isAlive) membership.reportProgress(partition, nextOffset)
        },
        leave: () => {
          listener = null
          return process.isAlive ? process.guard(membership.leave()) : never()
        },
      }
    },
    reader: (partition) => faultyReader(inner.reader(partition), options, rebalance),
    close: () => (process.isAlive ? process.guard(inner.close()) : never()),
  }
}

/** The listener of a process that may be dead by the time it is called. */
function guarded(listener: AssignmentListener, process: SimulatedProcess): AssignmentListener {
  return {
    onAssign: (partitions) => {
      if (process.isAlive) listener.onAssign(partitions)
    },
    onLost: (partitions) =>
      process.isAlive
        ? Promise.race([listener.onLost?.(partitions) ?? listener.onRevoke(partitions), process.crashed.then(() => {})])
        : Promise.resolve(),
    // A log waits for a revoked member only so long; a dead one is not waited for at all.
    onRevoke: (partitions) =>
      process.isAlive
        ? Promise.race([listener.onRevoke(partitions), process.crashed.then(() => {})])
        : Promise.resolve(),
  }
}

function faultyReader(
  inner: LogReader,
  options: FaultyLogOptions,
  rebalance: (partition: number) => Promise<void>,
): LogReader {
  const { faults, random, process, clock } = options

  async function fetch(fetchOptions: FetchOptions): Promise<RecordBatch | null> {
    if (faults.strikes('crash-during-fetch')) return process.die('during a fetch')
    if (faults.strikes('fetch-fails')) {
      throw new RetryableError(`injected fault: the log did not answer the fetch of partition ${inner.partition}`)
    }
    if (faults.strikes('rebalance')) void rebalance(inner.partition)
    if (faults.strikes('fetch-slow')) await clock.sleep(random.int(1, 2_000), fetchOptions.signal)
    if (faults.strikes('fetch-empty')) {
      await clock.sleep(fetchOptions.maxWaitMs, fetchOptions.signal)
      return null
    }
    const maxBytes = Math.min(fetchOptions.maxBytes, random.int(1, options.maxBytes))
    const batch = await inner.fetch({ ...fetchOptions, maxBytes })
    return batch === null || !faults.strikes('fetch-short') ? batch : shorten(batch, inner, random)
  }

  async function bounds(): Promise<LogBounds> {
    if (faults.strikes('bounds-slow')) await clock.sleep(random.int(1, 2_000))
    return inner.bounds()
  }

  return {
    partition: inner.partition,
    seek: (offset) => inner.seek(offset),
    fetch: (fetchOptions) => (process.isAlive ? process.guard(fetch(fetchOptions)) : never()),
    bounds: () => (process.isAlive ? process.guard(bounds()) : never()),
    offsetAt: (time) => (process.isAlive ? process.guard(inner.offsetAt(time)) : never()),
    close: () => (process.isAlive ? process.guard(inner.close()) : never()),
  }
}

/** The first few records of the batch; the reader goes on at the first one that was left out. */
function shorten(batch: RecordBatch, reader: LogReader, random: Random): RecordBatch {
  const records: RecordView[] = []
  for (let view = new RecordView(); batch.read(view); view = new RecordView()) records.push(view)
  const kept = random.int(1, Math.max(1, records.length - 1))
  const nextOffset = records[kept]?.offset ?? batch.nextOffset
  reader.seek(nextOffset)
  let at = 0
  return {
    partition: batch.partition,
    nextOffset,
    byteLength: batch.byteLength,
    read(view) {
      const record = at < kept ? records[at] : undefined
      if (record === undefined) return false
      at++
      Object.assign(view, record)
      return true
    },
  }
}
