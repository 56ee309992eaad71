import { merge } from 'rxjs'
import { map } from 'rxjs/operators'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { upstreamTime } from '../../../src/operators/upstreamTime.ts'
import { RetryableError } from '../../../src/runtime/errors.ts'
import { type Codec, type Lender, Rejection } from '../../../src/runtime/log/codec.ts'
import type { ResolvedInput } from '../../../src/runtime/pipeline/input.ts'
import { definePipeline, inputsOf, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { CheckpointStore } from '../../../src/runtime/store/checkpoint.ts'
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
const text: Codec<string> = {
  decode: (record) => {
    const value = record.valueText() ?? ''
    return value.startsWith('!') ? new Rejection('refused', value) : value
  },
}

const allOf = <T extends string>(topic: T) => ({ topic, codec: text, partitions: 'all' }) as const

/** Everything in the order in which it came. */
const inOrder = definePipeline({
  name: 'order',
  inputs: { a: allOf('a'), b: allOf('b') },
  build: ({ a, b }) => ({ seen: toPostgres(merge(a, b).pipe(map((value) => ({ value }))), seen) }),
})

/** Two topics of different numbers of partitions. */
function world(pipeline: Pipeline, over: Partial<WorkerOptions> = {}) {
  const clock = new VirtualClock()
  const a = new MemoryLog({ topic: 'a', partitions: 3, clock })
  const b = new MemoryLog({ topic: 'b', partitions: 2, clock })
  const store = new MemoryCheckpointStore()
  const others = Object.keys(pipeline.inputs ?? {}).length > 1 ? [b] : []
  const start = (changes: Partial<WorkerOptions> = {}) =>
    new Worker({ pipeline, source: a, others, store, archive: null, clock, ...over, ...changes })
  const values = () => store.rows('seen').map(({ value }) => value)
  return { clock, a, b, store, start, values }
}

async function drained(clock: VirtualClock, worker: Worker, mode: 'drain' | 'drain-and-close' = 'drain') {
  const running = worker.run()
  worker.stop(mode)
  await clock.run(running)
}

function fillBoth({ a, b }: Pick<ReturnType<typeof world>, 'a' | 'b'>): void {
  a.add(
    { value: 'a0-1', timestamp: 1, partition: 0 },
    { value: 'a1-2', timestamp: 2, partition: 1 },
    { value: 'a2-7', timestamp: 7, partition: 2 },
    { value: 'a0-9', timestamp: 9, partition: 0 },
  )
  b.add(
    { value: 'b0-2', timestamp: 2, partition: 0 },
    { value: 'b1-3', timestamp: 3, partition: 1 },
    { value: 'b1-8', timestamp: 8, partition: 1 },
  )
}

const merged = ['a0-1', 'a1-2', 'b0-2', 'b1-3', 'a2-7', 'b1-8', 'a0-9']

describe('one task that reads all partitions', () => {
  it('takes them by their timestamps, then by the order of the inputs', async () => {
    const { clock, a, b, store, start, values } = world(inOrder)
    fillBoth({ a, b })
    await drained(clock, start())
    expect(values()).toEqual(merged)
    expect(store.state.map(({ task }) => [task.topic, task.partition])).toEqual([['a', 0]])
  })

  it('fetches less at once from each of many partitions, so that it holds no more of them', async () => {
    const asked = new Set<number>()
    const { clock, a, b, start, values } = world(inOrder)
    for (const log of [a, b]) {
      const { reader } = log
      log.reader = (partition) => {
        const made = reader.call(log, partition)
        const { fetch } = made
        made.fetch = (options) => {
          asked.add(options.maxBytes)
          return fetch.call(made, options)
        }
        return made
      }
    }
    fillBoth({ a, b })
    await drained(clock, start())
    expect(values()).toEqual(merged)
    expect([...asked]).toEqual([Math.floor((2 * 1_048_576) / 5)])
  })

  it('lends values of all its partitions, each read together with those behind it', async () => {
    const json = jsonCodec(z.object({ n: z.int() }))
    let rows = 0
    const codec: Codec<{ n: number }> = {
      decode: (record) => new Rejection('by-itself', `${record.offset}`),
      lender: (asked) => {
        rows = asked
        return json.lender?.(asked) as Lender<{ n: number }>
      },
    }
    const lent = definePipeline({
      name: 'lent',
      inputs: { a: { topic: 'a', codec, partitions: 'all' } },
      build: ({ a }) => ({ seen: toPostgres(a.pipe(map(({ n }) => ({ value: String(n) }))), seen) }),
    })
    const { clock, a, store, start, values } = world(lent)
    for (let n = 0; n < 3_000; n += 1) a.add({ value: `{"n":${n}}`, timestamp: n, partition: n % 3 })
    await drained(clock, start())
    expect(values()).toEqual(Array.from({ length: 3_000 }, (_, n) => String(n)))
    expect([store.deadLetters().length, rows]).toEqual([0, 3 * 512])
  })

  it.each([
    ['stored nothing', false],
    ['was stored, and nobody heard of it', true],
  ])('goes on in each partition where it was, after a commit that %s', async (_what, isStored) => {
    const { clock, a, b, store, start, values } = world(inOrder)
    let commits = 0
    const commit: CheckpointStore['commit'] = async (claim, checkpoint) => {
      commits += 1
      const fails = commits === 2
      if (!fails || isStored) await store.commit(claim, checkpoint)
      if (fails) throw new RetryableError('the database is away')
    }
    const failing: CheckpointStore = {
      outbox: store.outbox,
      claim: (...asked) => store.claim(...asked),
      commit,
      recordedSteps: (...asked) => store.recordedSteps(...asked),
      mergeNotes: (...asked) => store.mergeNotes(...asked),
      answers: (...asked) => store.answers(...asked),
      close: () => store.close(),
    }
    const limits = { maxUncommittedRecords: 2 }
    fillBoth({ a, b })
    await drained(clock, start({ limits, store: failing }))
    expect(commits).toBeGreaterThan(3)
    expect(values()).toEqual(merged)
    b.add({ value: 'b0-12', timestamp: 12, partition: 0 })
    a.add({ value: 'a1-11', timestamp: 11, partition: 1 })
    await drained(clock, start())
    expect(values()).toEqual([...merged, 'a1-11', 'b0-12'])
  })

  it('sets a record aside under its own topic and partition', async () => {
    const { clock, a, b, store, start } = world(inOrder)
    fillBoth({ a, b })
    a.add({ value: '!a', timestamp: 10, partition: 2 })
    b.add({ value: '!b', timestamp: 11, partition: 1 })
    await drained(clock, start())
    expect(store.deadLetters().map(({ topic, partition, offset }) => ({ topic, partition, offset }))).toEqual([
      { topic: 'a', partition: 2, offset: 1 },
      { topic: 'b', partition: 1, offset: 2 },
    ])
  })

  it('folds what no single partition has', async () => {
    const pipeline = definePipeline({
      name: 'all',
      inputs: { a: allOf('a') },
      build: ({ a }) => ({
        seen: toPostgres(
          a.pipe(
            eventTime({ of: (value) => Number(value), maxOutOfOrdernessMs: 0 }),
            tumblingWindow({ name: 'w', sizeMs: 10, by: () => 'all' }),
            aggregateWindow({ initial: () => 0, add: (sum) => sum + 1, result: (sum) => ({ value: String(sum) }) }),
          ),
          seen,
        ),
      }),
    })
    const { clock, a, start, values } = world(pipeline)
    for (let at = 0; at < 30; at += 1) a.add({ value: String(at), timestamp: at, partition: at % 3 })
    await drained(clock, start(), 'drain-and-close')
    expect(values()).toEqual(['10', '10', '10'])
  })

  it('archives each partition in objects of its own', async () => {
    const objects = new MemoryObjectStore()
    const pipeline = definePipeline({
      name: 'kept',
      inputs: { a: allOf('a'), b: allOf('b') },
      build: ({ a, b }) => ({ raw: toArchive(b), seen: toPostgres(a.pipe(map((value) => ({ value }))), seen) }),
    })
    const { clock, a, b, store, start } = world(pipeline, {
      archive: rawArchive({ store: objects, compression: 'inline' }),
    })
    fillBoth({ a, b })
    await drained(clock, start())
    const found = store.objects().map((one) => [one.topic, one.partition, one.recordCount])
    expect(found).toEqual([
      ['b', 0, 1],
      ['b', 1, 2],
    ])
  })

  it('refuses more partitions than it had: what is saved counts them', async () => {
    const { clock, a, b, store, start } = world(inOrder)
    fillBoth({ a, b })
    await drained(clock, start())
    const grown = new MemoryLog({ topic: 'b', partitions: 3, clock })
    grown.add(
      { value: 'b0-2', timestamp: 2, partition: 0 },
      { value: 'b1-3', timestamp: 3, partition: 1 },
      { value: 'b1-8', timestamp: 8, partition: 1 },
    )
    const worker = new Worker({ pipeline: inOrder, source: a, others: [grown], store, archive: null, clock })
    await expect(clock.run(worker.run())).rejects.toThrow(/topic b has a partition 2 that the checkpoint does not know/)
  })

  it('stands at every input or at none, and not beside growing topics', async () => {
    const one = { a: allOf('a'), b: { topic: 'b', codec: text } }
    const build = () => ({})
    expect(() => definePipeline({ name: 'half', inputs: one, build })).toThrow(
      /input a has partitions: 'all' and input b/,
    )
    const wrong = { a: { topic: 'a', partitions: 'some' as 'all' } }
    expect(() => definePipeline({ name: 'wrong', inputs: wrong, build })).toThrow(
      /partitions must be 'all', got "some"/,
    )
    const marked = definePipeline({
      name: 'marked',
      inputs: { a: allOf('a') },
      build: ({ a }) => ({
        rows: toPostgres(a.pipe(upstreamTime({ of: () => 0 })), {
          mode: 'append',
          name: 'rows',
          columns: [{ name: 'line', type: 'text', of: () => 'x' }],
        }),
      }),
    })
    const [input] = inputsOf(marked)
    const partitions = [0, 1].map((partition) => ({ ...(input as ResolvedInput), partition }))
    expect(() => new StreamTask(marked, null, [0, 0], undefined, partitions)).toThrow(
      /upstreamTime stands below an input with partitions: 'all'/,
    )
    const { clock, start } = world({ ...inOrder, partitionGrowth: 'allow' })
    await expect(clock.run(start().run())).rejects.toThrow(
      /partitionGrowth: 'allow' is for tasks that each have a partition/,
    )
  })
})
