import { mergeAll, tap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { Clock } from '../../../src/runtime/clock.ts'
import type { Duration } from '../../../src/runtime/duration.ts'
import { RetryableError } from '../../../src/runtime/errors.ts'
import type { LogSource, RecordBatch } from '../../../src/runtime/log/log.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { Table } from '../../../src/runtime/store/table.ts'
import { Worker, type WorkerOptions } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

interface Count {
  readonly start: number
  readonly count: number
}

const countsIn = (name: string): Table<Count> => ({
  name,
  mode: 'append',
  columns: [
    { name: 'start', type: 'bigint', of: ({ start }) => start },
    { name: 'count', type: 'integer', of: ({ count }) => count },
  ],
})
const times = decode({ decode: (record) => Number(record.valueText()) })
const counted = aggregateWindow<number, number, Count>({
  initial: () => 0,
  add: (count) => count + 1,
  result: (count, { start }) => ({ start, count }),
})
const window = tumblingWindow<number>({ name: 'w', sizeMs: 60_000, by: () => 'k' })

/** The log, each of whose fetches is done by `act`, which is told how many there were before. */
function disturbed(
  log: MemoryLog,
  act: (fetch: () => Promise<RecordBatch | null>, before: number) => Promise<RecordBatch | null>,
): LogSource {
  let fetches = 0
  return {
    topic: log.topic,
    partitions: () => log.partitions(),
    join: (listener) => log.join(listener),
    close: () => log.close(),
    reader: (partition) => {
      const reader = log.reader(partition)
      return {
        partition,
        seek: (offset) => reader.seek(offset),
        bounds: () => reader.bounds(),
        offsetAt: (time) => reader.offsetAt(time),
        close: () => reader.close(),
        fetch: (options) => act(() => reader.fetch(options), fetches++),
      }
    },
  }
}

/** @param work done on each record */
const guarded = (name = 'idle', work = () => 0) =>
  definePipeline({
    name,
    idleAfterMs: 5_000,
    build: (records) => ({
      counts: toPostgres(
        records.pipe(
          tap(work),
          times,
          eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0, maxAdvanceMs: 10_000 }),
          window,
          counted,
        ),
        countsIn(name),
      ),
    }),
  }) as Pipeline

function world(pipeline: Pipeline, over: Partial<WorkerOptions> = {}) {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'ticks', partitions: 1, clock })
  const store = new MemoryCheckpointStore()
  const worker = new Worker({ pipeline, source: log, store, archive: null, clock, ...over })
  return { clock, log, store, worker }
}

/** A value each so many ms, at its own time. */
async function feed(clock: VirtualClock, log: MemoryLog, count: number, everyMs: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    log.add({ value: String(clock.now()) })
    await clock.sleep(everyMs)
  }
}

describe('an idle step of the watermark', () => {
  it('is heard of by a guard: a record every thirty seconds is on time, each of them', async () => {
    const { clock, log, store, worker } = world(guarded())
    const live = async () => {
      const running = worker.run()
      await feed(clock, log, 20, 30_000)
      worker.stop('drain-and-close')
      await running
    }
    await clock.run(live())
    expect(store.deadLetters()).toEqual([])
    expect(store.rows('idle').reduce((sum, { count }) => sum + Number(count), 0)).toBe(20)
    expect(store.idleAdvances().length).toBeGreaterThan(20)
  })

  it('is not taken while the log has more, even if a fetch brings nothing', async () => {
    const { clock, log, store } = world(guarded())
    for (let i = 0; i < 30; i++) log.add({ value: String(i * 1_000) })
    const source = disturbed(log, async (fetch, before) => {
      if (before > 5) return fetch()
      await clock.sleep(20_000)
      return null
    })
    const worker = new Worker({ pipeline: guarded(), source, store, archive: null, clock })
    const live = async () => {
      const running = worker.run()
      await clock.sleep(100_000)
      worker.stop('drain')
      await running
    }
    await clock.run(live())
    expect(store.deadLetters()).toEqual([])
    expect(store.idleAdvances()).toEqual([])
  })

  it('comes after the time that the pipeline says, in ms or as text', async () => {
    const stepsOf = async (idleAfterMs: Duration) => {
      const { clock, log, store, worker } = world({ ...guarded(), idleAfterMs })
      const live = async () => {
        const running = worker.run()
        await feed(clock, log, 3, 30_000)
        worker.stop('drain-and-close')
        await running
      }
      await clock.run(live())
      return store.idleAdvances()
    }
    const steps = await stepsOf(8_000)
    expect(steps).not.toEqual([])
    expect(await stepsOf('8s')).toEqual(steps)
    expect(await stepsOf('7s')).not.toEqual(steps)
    expect(() => world({ ...guarded(), idleAfterMs: '8 s' as Duration })).toThrow(
      'pipeline idle: idleAfterMs must be ms, or text',
    )
  })

  it('waits for asynchronous work and for batches, which it would otherwise overtake', async () => {
    const held: Pipeline = definePipeline({
      name: 'held',
      idleAfterMs: 1_000,
      build: (records) => ({
        counts: toPostgres(
          records.pipe(
            times,
            batchFlush({ maxCount: 100 }),
            mapAsync(async (batch) => batch, { concurrency: 100 }),
            mergeAll(),
            eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0 }),
            window,
            counted,
          ),
          countsIn('held'),
        ),
      }),
    }) as Pipeline
    // No cut comes before the idle step.
    const { clock, log, store, worker } = world(held, { limits: { checkpointIntervalMs: 1_000_000 } })
    const live = async () => {
      const running = worker.run()
      await feed(clock, log, 3, 90_000)
      worker.stop('drain-and-close')
      await running
    }
    await clock.run(live())
    expect(store.deadLetters()).toEqual([])
    expect(store.rows('held')).toHaveLength(3)
  })

  it('is read back by a replay, which takes it where it was taken and so gives the same', async () => {
    const { clock, log, store, worker } = world(guarded())
    const live = async () => {
      const running = worker.run()
      await feed(clock, log, 5, 30_000)
      for (const late of [5, 70_000, 100_000]) log.add({ value: String(late) })
      await feed(clock, log, 5, 30_000)
      worker.stop('drain-and-close')
      await running
      const replay = new Worker({
        pipeline: guarded('replayed'),
        source: log,
        store,
        archive: null,
        clock,
        replayOf: 'idle',
      })
      const again = replay.run()
      replay.stop('drain')
      await again
    }
    await clock.run(live())
    const lettersOf = (name: string) =>
      store.deadLetters().flatMap(({ pipeline, ...letter }) => (pipeline === name ? [letter] : []))
    expect(lettersOf('idle').length).toBeGreaterThan(0)
    expect(lettersOf('replayed')).toEqual(lettersOf('idle'))
    expect(store.rows('replayed')).toEqual(store.rows('idle'))
    const stepsOf = (name: string) =>
      store.idleAdvances().flatMap(({ pipeline, ...step }) => (pipeline === name ? [step] : []))
    expect(stepsOf('replayed')).toEqual(stepsOf('idle'))
  })

  it('is not lost where a replay has skipped a gap behind its place, cut there and begun again', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog({ topic: 'ticks', partitions: 1, clock, fetchRecords: () => 13 })
    const store = new MemoryCheckpointStore()
    const worker = new Worker({ pipeline: guarded(), source: log, store, archive: null, clock })
    // Each record takes a minute, so that a checkpoint is due behind the first batch, whose end is the gap's.
    let workedMs = 0
    const slow: Clock = { now: () => clock.now() + workedMs, sleep: (ms, signal) => clock.sleep(ms, signal) }
    const pipeline = guarded('replayed', () => (workedMs += 60_000))
    let fetches = 0
    const failing = disturbed(log, async (fetch, before) => {
      fetches = before + 1
      if (before === 1) throw new RetryableError('the log is away')
      return fetch()
    })
    const live = async () => {
      const running = worker.run()
      await feed(clock, log, 3, 30_000)
      log.skip(0, 10)
      log.add({ value: String(clock.now()) })
      worker.stop('drain-and-close')
      await running
      const replay = new Worker({
        ...{ pipeline, source: failing, store, archive: null, clock: slow, replayOf: 'idle' },
      })
      const again = replay.run()
      replay.stop('drain')
      await again
    }
    await clock.run(live())
    // Without their places, which may differ within the gap.
    const stepsOf = (name: string) =>
      store.idleAdvances().flatMap(({ pipeline, watermark }) => (pipeline === name ? [watermark] : []))
    expect(fetches).toBeGreaterThan(2)
    expect(stepsOf('replayed')).toEqual(stepsOf('idle'))
    expect(store.rows('replayed')).toEqual(store.rows('idle'))
  })
})
