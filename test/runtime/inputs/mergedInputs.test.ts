import { merge } from 'rxjs'
import { map } from 'rxjs/operators'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { Codec } from '../../../src/runtime/log/codec.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import type { Inputs } from '../../../src/runtime/pipeline/input.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { Worker, type WorkerOptions } from '../../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { toArchive } from '../../../src/sinks/toArchive.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

interface Seen {
  readonly value: string
}

const seen: AppendTable<Seen> = {
  mode: 'append',
  name: 'seen',
  columns: [{ name: 'value', type: 'text', of: ({ value }) => value }],
}
const text: Codec<string> = { decode: (record) => record.valueText() ?? undefined }
const pair = { a: { topic: 'a', codec: text }, b: { topic: 'b', codec: text } } as const

/** Everything in the order in which it came. */
const inOrder = (inputs: Inputs, name = 'order') =>
  definePipeline({
    name,
    inputs,
    build: (streams) => ({
      seen: toPostgres(merge(...Object.values(streams)).pipe(map((value) => ({ value: value as string }))), seen),
    }),
  })

function world(pipeline: Pipeline, over: Partial<WorkerOptions> = {}) {
  const clock = new VirtualClock()
  const logs = Object.keys(pipeline.inputs ?? {}).map((topic) => new MemoryLog({ topic, partitions: 1, clock }))
  const [a, ...others] = logs as [MemoryLog, ...MemoryLog[]]
  const store = new MemoryCheckpointStore()
  const start = (changes: Partial<WorkerOptions> = {}) =>
    new Worker({ pipeline, source: a, others, store, archive: null, clock, ...over, ...changes })
  const values = () => store.rows('seen').map(({ value }) => value)
  return { clock, logs, a, b: others[0] as MemoryLog, store, start, values }
}

async function drained(
  clock: VirtualClock,
  worker: Worker,
  mode: 'drain' | 'drain-and-close' = 'drain',
): Promise<void> {
  const running = worker.run()
  worker.stop(mode)
  await clock.run(running)
}

describe('several inputs', () => {
  it('are merged by timestamp, and by the order of the inputs where two are the same', async () => {
    const { clock, a, b, start, values } = world(inOrder(pair))
    a.add({ value: 'a1', timestamp: 1 }, { value: 'a5', timestamp: 5 }, { value: 'a9', timestamp: 9 })
    b.add({ value: 'b1', timestamp: 1 }, { value: 'b4', timestamp: 4 }, { value: 'b6', timestamp: 6 })
    await drained(clock, start())
    expect(values()).toEqual(['a1', 'b1', 'b4', 'a5', 'b6', 'a9'])
  })

  it('wait for each other: what cannot be told yet is not guessed', async () => {
    const { clock, a, b, start, values } = world(inOrder(pair))
    const worker = start()
    const running = worker.run()
    const live = async () => {
      a.add({ value: 'a1', timestamp: 1 }, { value: 'a9', timestamp: 9 })
      await clock.sleep(60_000)
      expect(values()).toEqual([])
      expect(worker.status()[0]?.waitingFor).toContain('a record of b')
      b.add({ value: 'b5', timestamp: 5 })
      await clock.sleep(1_000)
      expect(values()).toEqual(['a1', 'b5'])
      worker.stop('now')
      await running
    }
    await clock.run(live())
  })

  it('go on without one that has been silent for long enough, and a replay repeats where its late record was taken', async () => {
    const inputs = { a: { topic: 'a', codec: text }, b: { topic: 'b', codec: text, idleAfterMs: 5_000 } } as const
    const { clock, a, b, store, start, values } = world(inOrder(inputs))
    const worker = start()
    const running = worker.run()
    const live = async () => {
      a.add({ value: 'a1', timestamp: 1 }, { value: 'a9', timestamp: 9 })
      await clock.sleep(4_000)
      expect(values()).toEqual([])
      await clock.sleep(2_000)
      expect(values()).toEqual(['a1', 'a9'])
      b.add({ value: 'b5', timestamp: 5 }, { value: 'b10', timestamp: 10 })
      a.add({ value: 'a11', timestamp: 11 })
      await clock.sleep(10_000)
      worker.stop('now')
      await running
    }
    await clock.run(live())
    expect(values()).toEqual(['a1', 'a9', 'b5', 'b10', 'a11'])
    const replay = inOrder(inputs, 'again')
    const replayed = new MemoryCheckpointStore()
    const both = Object.assign(Object.create(replayed) as MemoryCheckpointStore, {
      claim: replayed.claim.bind(replayed),
      commit: replayed.commit.bind(replayed),
      recordedSteps: store.recordedSteps.bind(store),
      mergeNotes: store.mergeNotes.bind(store),
      answers: store.answers.bind(store),
    })
    await drained(clock, start({ pipeline: replay, store: both, replayOf: 'order' }))
    expect(replayed.rows('seen')).toEqual(store.rows('seen'))
    const rankAlone = new MemoryCheckpointStore()
    await drained(clock, start({ pipeline: replay, store: rankAlone }))
    expect(rankAlone.rows('seen').map(({ value }) => value)).toEqual(['a1', 'b5', 'a9', 'b10', 'a11'])
  })

  it('read a table first, at the first start and no later one', async () => {
    const inputs = { a: { topic: 'a', codec: text }, t: { topic: 't', codec: text, movesTime: false } } as const
    const { clock, a, b: t, start, values } = world(inOrder(inputs))
    a.add({ value: 'a1', timestamp: 1 }, { value: 'a2', timestamp: 2 })
    t.add({ value: 't100', timestamp: 100 }, { value: 't200', timestamp: 200 })
    await drained(clock, start())
    expect(values()).toEqual(['t100', 't200', 'a1', 'a2'])
    a.add({ value: 'a300', timestamp: 300 })
    t.add({ value: 't400', timestamp: 400 })
    await drained(clock, start())
    expect(values().slice(4)).toEqual(['a300', 't400'])
  })

  it('have the least of their times: nothing closes while one of them is behind', async () => {
    const timed = (name: string) => eventTime<string>({ name, of: (value) => Number(value), maxOutOfOrdernessMs: 0 })
    const pipeline = definePipeline({
      name: 'least',
      inputs: { a: pair.a, b: { ...pair.b, idleAfterMs: '1m' } },
      build: ({ a, b }) => ({
        seen: toPostgres(
          merge(a.pipe(timed('time a')), b.pipe(timed('time b'))).pipe(
            tumblingWindow({ name: 'w', sizeMs: 10, by: () => 'k' }),
            aggregateWindow<string, number, Seen>({
              initial: () => 0,
              add: (count) => count + 1,
              result: (count, { start }) => ({ value: `${start}: ${count}` }),
            }),
          ),
          seen,
        ),
      }),
    })
    const { clock, a, b, start, values } = world(pipeline)
    const at = (time: number) => ({ value: String(time), timestamp: time })
    const worker = start()
    const running = worker.run()
    const live = async () => {
      a.add(at(1), at(35))
      b.add(at(2), at(14), at(36))
      await clock.sleep(1_000)
      expect(values()).toEqual(['0: 2'])
      worker.stop('drain-and-close')
      await running
    }
    await clock.run(live())
    expect(values()).toEqual(['0: 2', '10: 1', '30: 2'])
  })

  it('that move no time have none: an eventTime below them alone is refused', () => {
    const pipeline = definePipeline({
      name: 'timeless',
      inputs: { a: pair.a, t: { topic: 't', codec: text, movesTime: false } },
      build: ({ a, t }) => ({
        seen: toPostgres(
          merge(a, t.pipe(eventTime({ of: () => 1, maxOutOfOrdernessMs: 0 }))).pipe(map((value) => ({ value }))),
          seen,
        ),
      }),
    })
    expect(() => new StreamTask(pipeline, null, [0, 0])).toThrow('eventTime takes its time from inputs with movesTime')
  })

  it('have archives of their own, and letters under their own topics', async () => {
    const picky: Codec<string> = {
      decode: (record) => record.valueText() ?? undefined,
    }
    const pipeline = definePipeline({
      name: 'kept',
      inputs: { a: { topic: 'a', codec: picky }, b: { topic: 'b', codec: picky } },
      build: ({ a, b }) => ({
        rawA: toArchive(a),
        rawB: toArchive(b),
        seen: toPostgres(
          merge(a, b).pipe(
            eventTime({ of: (value) => Number(value.slice(1)), maxOutOfOrdernessMs: 0 }),
            map((value) => ({ value })),
          ),
          seen,
        ),
      }),
    })
    const objects = new MemoryObjectStore()
    const archive = rawArchive({ store: objects, maxRecords: 2, compression: 'inline' })
    const { clock, a, b, store, start } = world(pipeline, { archive })
    a.add({ value: 'a1', timestamp: 1 }, { value: 'ax', timestamp: 2 })
    b.add({ value: 'bx', timestamp: 1 }, { value: 'b2', timestamp: 2 }, { value: 'b3', timestamp: 3 })
    await drained(clock, start())
    expect(store.deadLetters().map(({ topic, offset, reason }) => [topic, offset, reason])).toEqual([
      ['a', 1, 'no-event-time'],
      ['b', 0, 'no-event-time'],
    ])
    expect(store.objects().map(({ topic, firstOffset, lastOffset }) => [topic, firstOffset, lastOffset])).toEqual([
      ['a', 0, 1],
      ['b', 0, 1],
      ['b', 2, 2],
    ])
    expect(store.state[0]?.saved).toMatchObject({ nextOffset: 2, archiveNextOffset: 2 })
  })

  it.each([
    ['a value that a step fails on', 9],
    ['a step of time', 100],
  ])(
    'are taken in the same order again after %s, so that what was learnt holds for the same value',
    async (_, fatal) => {
      const inputs = {
        a: { topic: 'a', codec: text, idleAfterMs: 5_000 },
        b: { topic: 'b', codec: text, idleAfterMs: 5_000 },
      } as const
      let failures = 0
      const pipeline = definePipeline({
        name: 'learns',
        inputs,
        build: ({ a, b }) => ({
          seen: toPostgres(
            merge(a, b).pipe(
              eventTime({ of: (value) => Number(value), maxOutOfOrdernessMs: 0 }),
              stateful<string, string>({ name: 'count' }, ({ snapshot }, out) => {
                let count = (snapshot ?? 0) as number
                return {
                  snapshot: () => count,
                  onValue: (value) => out.emit(`${value} is number ${++count}`),
                  onWatermark: (time) => {
                    if (time > 100 && count < 4) out.emit(`100 is number ${++count}`)
                  },
                }
              }),
              map((value) => {
                if (!value.startsWith(`${fatal} `) || !value.endsWith(' 2')) return { value }
                failures += 1
                // Behind the second failure, which says on which value, there is more that could come before it.
                if (failures === 2) logs[1]?.add({ value: '5', timestamp: 5 }, { value: '6', timestamp: 6 })
                throw new Error('not the second')
              }),
            ),
            seen,
          ),
        }),
      })
      const { clock, logs, a, store, start, values } = world(pipeline)
      const worker = start({ limits: { checkpointIntervalMs: 60_000 } })
      const running = worker.run()
      const live = async () => {
        a.add({ value: '1', timestamp: 1 })
        if (fatal === 9) a.add({ value: '9', timestamp: 9 })
        await clock.sleep(200_000)
        worker.stop('now')
        await running
      }
      await clock.run(live())
      expect(failures).toBeGreaterThanOrEqual(2)
      expect(store.deadLetters().map(({ operator }) => operator)).toEqual(['count'])
      expect(values().slice(0, 3)).toEqual(['1 is number 1', '5 is number 3', '6 is number 4'])
    },
  )

  it('go on behind what the archive has where nothing else is left of an earlier life', async () => {
    const pipeline = definePipeline({
      name: 'again',
      inputs: pair,
      build: ({ a, b }) => ({
        rawB: toArchive(b),
        seen: toPostgres(merge(a, b).pipe(map((value) => ({ value }))), seen),
      }),
    })
    const objects = new MemoryObjectStore()
    const archive = rawArchive({ store: objects, maxRecords: 10, compression: 'inline' })
    const { clock, a, b, store, start, values } = world(pipeline, { archive })
    const claim = store.claim.bind(store)
    store.claim = async (...asked) => ({ ...(await claim(...asked)), archivedUntilOffsets: [null, 2] })
    a.add({ value: 'a1', timestamp: 1 })
    b.add(...[1, 2, 3, 4].map((at) => ({ value: `b${at}`, timestamp: at })))
    await drained(clock, start())
    expect(values()).toEqual(['a1', 'b1', 'b2', 'b3', 'b4'])
    expect(store.objects().map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset])).toEqual([[2, 3]])
  })

  it('merge streams by their timestamps, so a stream without any is refused, and a table may have none', async () => {
    const { clock, a, b, start } = world(inOrder(pair))
    a.add({ value: 'a1' })
    b.add({ value: 'b1', timestamp: 1 })
    const worker = start()
    const running = worker.run()
    worker.stop('drain')
    await expect(clock.run(running)).rejects.toThrow('a: the record at offset 0 has no timestamp')
    const tables = world(inOrder({ a: pair.a, t: { topic: 't', codec: text, movesTime: false } }))
    tables.b.add({ value: 't1' })
    tables.a.add({ value: 'a1', timestamp: 1 })
    await drained(tables.clock, tables.start())
    tables.b.add({ value: 't2' })
    tables.a.add({ value: 'a2', timestamp: 2 })
    await drained(tables.clock, tables.start())
    expect(tables.values()).toEqual(['t1', 'a1', 't2', 'a2'])
  })

  it('need logs with equal numbers of partitions, in the order of the pipeline', async () => {
    const pipeline = inOrder(pair)
    const clock = new VirtualClock()
    const a = new MemoryLog({ topic: 'a', partitions: 1, clock })
    const b = new MemoryLog({ topic: 'b', partitions: 2, clock })
    const store = new MemoryCheckpointStore()
    const options = { pipeline, store, archive: null, clock }
    const run = clock.run(new Worker({ ...options, source: a, others: [b] }).run())
    await expect(run).rejects.toThrow('topics with different numbers of partitions (a has 1, b has 2)')
    expect(() => new Worker({ ...options, source: a })).toThrow('has 2 inputs (a, b) and was given 1 logs')
    expect(() => new Worker({ ...options, source: b, others: [a] })).toThrow('input a is topic a and was given topic b')
  })
})
