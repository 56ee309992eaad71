import { map } from 'rxjs'
import { describe, expect, it, vi } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { ConfigurationError, OffsetOutOfRangeError, RetryableError } from '../../../src/runtime/errors.ts'
import type { Codec } from '../../../src/runtime/log/codec.ts'
import type { LogSource } from '../../../src/runtime/log/log.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { Archive, ArchiveWriter } from '../../../src/runtime/store/archive.ts'
import type { CheckpointStore } from '../../../src/runtime/store/checkpoint.ts'
import type { PartitionGrowth } from '../../../src/runtime/store/partitionGrowth.ts'
import { Worker, type WorkerOptions } from '../../../src/runtime/worker/worker.ts'
import { toArchive } from '../../../src/sinks/toArchive.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const copying = (decodeRecord: Codec<string>['decode']) =>
  definePipeline({
    name: 'copy',
    build: (records) => ({
      raw: toArchive(records),
      values: toPostgres(
        records.pipe(
          decode({ decode: decodeRecord }),
          map((value) => ({ value })),
        ),
        { mode: 'append', name: 'copied', columns: [{ name: 'value', type: 'text', of: (row) => row.value }] },
      ),
    }),
  })

const pipeline = copying((record) => record.valueText() ?? undefined)

function setUp(count: number, over: Partial<WorkerOptions> = {}) {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'letters', partitions: 1, clock })
  log.add(...Array.from({ length: count }, (_, i) => ({ value: `v${i}` })))
  const store = new MemoryCheckpointStore()
  const worker = new Worker({ pipeline, source: log, store, archive: null, clock, ...over })
  return { clock, log, store, worker, copied: () => store.rows('copied').map((row) => row.value) }
}

/** An archive in which nothing ever becomes durable. */
function archiveThat(
  append: ArchiveWriter['append'],
  packing = { isBehind: () => false, catchUp: async () => {} },
): Archive {
  return {
    open: (_task, nextOffset) => {
      expect(nextOffset).toBe(0)
      return {
        append,
        appendAll(records, end, facts) {
          for (; records.at < end; records.at += 1) append(records.show(), facts)
          records.at = end - 1
        },
        get isBehind() {
          return packing.isBehind()
        },
        catchUp: packing.catchUp,
        heldBytes: 0,
        hasRoom: true,
        waitForRoom: async () => undefined,
        take: () => ({ objects: [], nextOffset: 0 }),
        finish: async () => undefined,
        waitingFor: null,
        abandon: () => undefined,
      }
    },
  }
}

const values = (count: number) => Array.from({ length: count }, (_, i) => `v${i}`)

/** A store whose commits do what the script says, in turn, and then what they should. */
function scripted(store: CheckpointStore, script: ('take' | 'lose-reply' | 'fail')[]): CheckpointStore {
  return {
    claim: (...asked) => store.claim(...asked),
    async commit(claim, checkpoint) {
      const act = script.shift()
      if (act !== 'fail') await store.commit(claim, checkpoint)
      if (act === 'fail' || act === 'lose-reply') throw new RetryableError('the store does not answer')
    },
    recordedSteps: (...asked) => store.recordedSteps(...asked),
    mergeNotes: (...asked) => store.mergeNotes(...asked),
    answers: (...asked) => store.answers(...asked),
    outbox: store.outbox,
    close: () => store.close(),
  }
}

interface Counted {
  readonly key: string
  readonly count: number
}

/** How often each record's key was seen, counted by the task of its partition. */
const counting = (partitionGrowth?: PartitionGrowth) =>
  definePipeline({
    name: 'count',
    ...(partitionGrowth === undefined ? {} : { partitionGrowth }),
    build: (records) => ({
      counts: toPostgres(
        records.pipe(
          decode({ decode: (record) => record.keyText() ?? undefined }),
          stateful<string, Counted>({ name: 'counts' }, ({ snapshot }, out) => {
            const counts = new Map(Object.entries((snapshot ?? {}) as Record<string, number>))
            return {
              onValue(key) {
                const count = (counts.get(key) ?? 0) + 1
                counts.set(key, count)
                out.emit({ key, count })
              },
              snapshot: () => Object.fromEntries(counts),
            }
          }),
        ),
        {
          mode: 'upsert',
          name: 'counts',
          key: ['key'],
          revision: 'revision',
          columns: [
            { name: 'key', type: 'text', of: (row) => row.key },
            { name: 'revision', type: 'integer', of: () => 1 },
            { name: 'count', type: 'integer', of: (row) => row.count },
          ],
        },
      ),
    }),
  })

/** Values of a window that never closes, shown once a second. */
const provisionallyCounted = definePipeline({
  name: 'counted',
  build: (records) => ({
    counts: toPostgres(
      records.pipe(
        decode({ decode: (record) => record.valueText() ?? undefined }),
        eventTime({ of: () => 0, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: '1d', sizeMs: 86_400_000, by: () => 'key' }),
        aggregateWindow<string, number, { readonly key: string; readonly count: number }>({
          initial: () => 0,
          add: (count) => count + 1,
          result: (count, { key }) => ({ key, count }),
          provisionalEveryMs: 1_000,
        }),
      ),
      {
        mode: 'upsert',
        name: 'counted',
        key: ['key'],
        revision: 'revision',
        columns: [
          { name: 'key', type: 'text', of: (row) => row.key },
          { name: 'revision', type: 'integer', of: () => 1 },
          { name: 'count', type: 'integer', of: (row) => row.count },
        ],
      },
    ),
  }),
})

describe('a worker', () => {
  it('drains what the log holds, each record once, and ends', async () => {
    const { clock, worker, copied, store } = setUp(5_000)
    const running = worker.run()
    worker.stop('drain')
    await clock.run(running)
    expect(copied()).toEqual(values(5_000))
    expect((await store.claim({ pipeline: 'copy', topic: 'letters', partition: 0 })).restored?.nextOffset).toBe(5_000)
  })

  it('stores nothing again while nothing comes', async () => {
    const { clock, worker, copied } = setUp(3)
    const running = worker.run()
    await clock.run(clock.sleep(1_500))
    expect(copied()).toEqual(values(3))
    expect(worker.status()).toMatchObject([{ commits: 1, committedOffset: 3 }])
    worker.stop('now')
    await clock.run(running)
  })

  it('stores a result that waits for its turn, though nothing comes any more', async () => {
    const { clock, log, store, worker } = setUp(1, { pipeline: provisionallyCounted })
    const counts = () => store.rows('counted').map((row) => row.count)
    const running = worker.run()
    await clock.run(clock.sleep(300))
    log.add({ value: 'v1' })
    await clock.run(clock.sleep(300))
    expect(worker.status()).toMatchObject([{ commits: 2, committedOffset: 2 }])
    expect(counts()).toEqual([1])
    await clock.run(clock.sleep(900))
    expect(worker.status()).toMatchObject([{ commits: 3, committedOffset: 2 }])
    expect(counts()).toEqual([2])
    worker.stop('now')
    await clock.run(running)
  })

  it('waits for a slow commit without asking the log again and again, and makes the next as soon as it is over', async () => {
    const base = setUp(1)
    const { clock, log } = base
    const begun: number[] = []
    const store: CheckpointStore = {
      ...scripted(base.store, []),
      async commit(claim, checkpoint) {
        begun.push(clock.now())
        await clock.sleep(5_000)
        await base.store.commit(claim, checkpoint)
      },
    }
    const worker = new Worker({ pipeline, source: log, store, archive: null, clock })
    const running = worker.run()
    await clock.run(clock.sleep(300))
    log.add({ value: 'v1' })
    const waits = vi.spyOn(clock, 'sleep')
    await clock.run(clock.sleep(9_000))
    expect(begun.length).toBe(2)
    expect((begun[1] as number) - (begun[0] as number)).toBe(5_000)
    expect(waits.mock.calls.length).toBeLessThan(50)
    worker.stop('now')
    await clock.run(running)
    expect(base.copied()).toEqual(values(2))
  })

  it('makes a checkpoint when it is due, also where the log has not said by then that it has no more', async () => {
    const { clock, log, worker } = setUp(1)
    const open = log.reader.bind(log)
    const waits: number[] = []
    vi.spyOn(log, 'reader').mockImplementation((partition) => {
      const reader = open(partition)
      const fetch = reader.fetch.bind(reader)
      reader.fetch = (options) => {
        waits.push(options.maxWaitMs)
        return fetch({ ...options, maxWaitMs: 60_000 })
      }
      return reader
    })
    const running = worker.run()
    await clock.run(clock.sleep(150))
    log.add({ value: 'v1' })
    await clock.run(clock.sleep(110))
    expect(worker.status()).toMatchObject([{ commits: 2, committedOffset: 2 }])
    expect(new Set(waits)).toEqual(new Set([500]))
    worker.stop('now')
    await clock.run(running)
  })

  it('goes on where the last one was', async () => {
    const first = setUp(10)
    const running = first.worker.run()
    first.worker.stop('drain')
    await first.clock.run(running)
    first.log.add({ value: 'v10' })
    const second = new Worker({ pipeline, source: first.log, store: first.store, archive: null, clock: first.clock })
    const again = second.run()
    second.stop('drain')
    await first.clock.run(again)
    expect(first.copied()).toEqual(values(11))
  })

  it.each(['lose-reply', 'fail'] as const)('counts nothing twice and loses nothing when commits %s', async (act) => {
    const base = setUp(0)
    const { clock } = base
    const store = scripted(base.store, ['take', act, 'take', act])
    const worker = new Worker({
      pipeline,
      source: base.log,
      store,
      archive: null,
      clock,
      limits: { maxUncommittedRecords: 7 },
    })
    base.log.add(...values(50).map((value) => ({ value })))
    const running = worker.run()
    worker.stop('drain')
    await clock.run(running)
    expect(base.copied()).toEqual(values(50))
    expect(worker.status()[0]?.restarts).toBe(2)
    // What was stored without an answer is read again by nobody, so this process cannot know it.
    const known = act === 'fail' ? 50 : 36
    expect(worker.status()).toMatchObject([
      {
        records: known,
        outlets: { values: known },
        operators: [{ name: 'decode', valuesIn: known, valuesOut: known, keyCount: 0, openUntil: null }],
        firstGeneration: 1,
        generation: 3,
      },
    ])
  })

  it('stops with a data-loss error when the log no longer holds the next offset', async () => {
    const { clock, log, store, worker } = setUp(10)
    const running = worker.run()
    worker.stop('drain')
    await clock.run(running)
    log.add(...values(10).map((value) => ({ value })))
    log.trim(0, 15)
    const second = new Worker({ pipeline, source: log, store, archive: null, clock })
    await expect(clock.run(second.run())).rejects.toThrow(OffsetOutOfRangeError)
    await expect(clock.run(new Worker({ pipeline, source: log, store, archive: null, clock }).run())).rejects.toThrow(
      /records 10 to 14 were deleted before they were processed/,
    )
  })

  it('stops with a clear error when the log is not the one that it was', async () => {
    const { clock, store, worker } = setUp(10)
    const running = worker.run()
    worker.stop('drain')
    await clock.run(running)
    const anew = new MemoryLog({ topic: 'letters', partitions: 1, clock })
    await expect(clock.run(new Worker({ pipeline, source: anew, store, archive: null, clock }).run())).rejects.toThrow(
      /the log ends at 0, so it was replaced/,
    )
  })

  it('stops when the log is another one of the same name, even where it is as long as the old one', async () => {
    const { clock, store, log, worker } = setUp(10)
    const named = (logId: string): LogSource => ({
      topic: log.topic,
      partitions: () => log.partitions(),
      join: (listener) => log.join(listener),
      close: () => log.close(),
      reader: (partition) => {
        const reader = log.reader(partition)
        const bounds = reader.bounds.bind(reader)
        return Object.assign(reader, { bounds: async () => ({ ...(await bounds()), logId }) })
      },
    })
    const drain = (source: LogSource) => {
      const draining = new Worker({ pipeline, source, store, archive: null, clock })
      const running = draining.run()
      draining.stop('drain')
      return clock.run(running)
    }
    await drain(log)
    await drain(named('first'))
    await drain(named('first'))
    await drain(log)
    await expect(drain(named('second'))).rejects.toThrow(/made anew.*its id was first, now it is second/)
    expect(worker.status()).toEqual([])
  })

  it('drops a task quietly once another worker has claimed it, and writes nothing more', async () => {
    const { clock, log, store, worker, copied } = setUp(3)
    const running = worker.run()
    await clock.run(clock.sleep(1_000))
    await store.claim({ pipeline: 'copy', topic: 'letters', partition: 0 })
    log.add({ value: 'v3' })
    await clock.run(running)
    expect(worker.status()).toMatchObject([{ phase: 'fenced' }])
    expect(copied()).toEqual(values(3))
  })

  it('feeds the archive alone with what lies below the offset of the graph', async () => {
    const { clock, log, store, copied } = setUp(6)
    const fed: number[] = []
    const archive = archiveThat((record) => fed.push(record.offset))
    const first = new Worker({ pipeline, source: log, store, archive, clock })
    const running = first.run()
    first.stop('drain')
    await clock.run(running)
    log.add({ value: 'v6' })
    const second = new Worker({ pipeline, source: log, store, archive, clock })
    const again = second.run()
    second.stop('drain')
    await clock.run(again)
    expect(fed).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6])
    expect(copied()).toEqual(values(7))
  })

  it('tells the archive what the graph has found out about a record, and nothing of the one before', async () => {
    const known: boolean[] = []
    const marking = copying((record, facts) => {
      if (record.offset === 1 && facts !== undefined) facts.isJsonObject = true
      return 'seen'
    })
    const archive = archiveThat((_record, facts) => known.push(facts?.isJsonObject ?? false))
    const { clock, worker } = setUp(3, { pipeline: marking, archive })
    const running = worker.run()
    worker.stop('drain')
    await clock.run(running)
    expect(known).toEqual([false, true, false])
  })

  it('reads on only when an archive that is behind has caught up', async () => {
    const story: string[] = []
    let waiting: number | null = null
    const archive = archiveThat(
      ({ offset }) => {
        story.push(`append ${offset}`)
        waiting = offset
      },
      {
        isBehind: () => waiting !== null,
        catchUp: async () => {
          story.push(`catch up with ${waiting}`)
          waiting = null
        },
      },
    )
    const { clock, log, worker } = setUp(0, { archive, limits: { fetchMaxBytes: 1 } })
    for (const value of values(3)) log.add({ value })
    const running = worker.run()
    worker.stop('drain')
    await clock.run(running)
    expect(story.slice(0, 5)).toEqual(['append 0', 'catch up with 0', 'append 1', 'catch up with 1', 'append 2'])
  })

  it('cuts as soon as its credit is used up, so that what is not committed stays bounded', async () => {
    let most = 0
    const base = setUp(0)
    const store: CheckpointStore = {
      claim: (...asked) => base.store.claim(...asked),
      async commit(claim, checkpoint) {
        most = Math.max(most, ...checkpoint.writes.map((write) => write.rows.length))
        await base.clock.sleep(50)
        await base.store.commit(claim, checkpoint)
      },
      recordedSteps: (...asked) => base.store.recordedSteps(...asked),
      mergeNotes: (...asked) => base.store.mergeNotes(...asked),
      answers: (...asked) => base.store.answers(...asked),
      outbox: base.store.outbox,
      close: () => base.store.close(),
    }
    base.log.add(...values(1_000).map((value) => ({ value })))
    const limits = { maxUncommittedRecords: 64, checkpointIntervalMs: 1_000_000 }
    const worker = new Worker({ pipeline, source: base.log, store, archive: null, clock: base.clock, limits })
    const running = worker.run()
    worker.stop('drain')
    await base.clock.run(running)
    expect(most).toBeLessThanOrEqual(64)
    expect(base.copied()).toEqual(values(1_000))
  })

  describe('on a topic that has got another number of partitions', () => {
    function grown() {
      const clock = new VirtualClock()
      const store = new MemoryCheckpointStore()
      const log = new MemoryLog({ topic: 'keys', partitions: 2, clock })
      const drain = (pipeline: Pipeline) => {
        const worker = new Worker({ pipeline, source: log, store, archive: null, clock })
        const running = worker.run()
        worker.stop('drain')
        return clock.run(running)
      }
      const add = (partition: number, ...keys: string[]) => log.add(...keys.map((key) => ({ partition, key })))
      const counts = () => Object.fromEntries(store.rows('counts').map(({ key, count }) => [key, count]))
      add(0, 'a', 'a', 'a')
      add(1, 'b')
      return { clock, store, log, drain, add, counts }
    }

    it('is refused, and no row of a key that has moved is replaced', async () => {
      const { store, log, drain, add, counts } = grown()
      await drain(counting())
      log.growTo(3)
      add(2, 'a')
      const before = store.state
      const refused = drain(counting())
      await expect(refused).rejects.toBeInstanceOf(ConfigurationError)
      await expect(refused).rejects.toThrow(/pipeline count has read topic keys with 2 partitions, and now it has 3/)
      expect(counts()).toEqual({ a: 3, b: 1 })
      expect(store.state).toEqual(before)
    })

    it('goes on where it was, and with the new ones from their beginning, when its pipeline allows it', async () => {
      const { log, drain, add, counts } = grown()
      await drain(counting())
      log.growTo(3)
      add(0, 'a')
      add(2, 'c')
      await drain(counting('allow'))
      expect(counts()).toEqual({ a: 4, b: 1, c: 1 })
      await drain(counting())
    })

    it('ends with the error when the partition is added while it runs, after it has committed', async () => {
      const { clock, store, log, add, counts } = grown()
      let assign: (partitions: readonly number[]) => void = () => {}
      const source: LogSource = {
        topic: log.topic,
        partitions: () => log.partitions(),
        reader: (partition) => log.reader(partition),
        close: () => log.close(),
        join: (listener) => {
          assign = listener.onAssign
          return log.join(listener)
        },
      }
      const running = new Worker({ pipeline: counting(), source, store, archive: null, clock }).run()
      await clock.advance(1_000)
      add(1, 'b')
      log.growTo(3)
      add(2, 'a')
      await clock.advance(10)
      assign([2])
      await expect(clock.run(running)).rejects.toThrow(/with 2 partitions, and now it has 3/)
      expect(counts()).toEqual({ a: 3, b: 2 })
    })
  })
})
