import { map } from 'rxjs/operators'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { enrich } from '../../../src/operators/enrich.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { toTable } from '../../../src/operators/toTable.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { type Codec, Rejection } from '../../../src/runtime/log/codec.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { Worker, type WorkerOptions } from '../../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { toArchive } from '../../../src/sinks/toArchive.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'
import { forgetfulStore } from '../../support/forgetfulStore.ts'

const seen: AppendTable<{ readonly value: string }> = {
  mode: 'append',
  name: 'seen',
  columns: [{ name: 'value', type: 'text', of: ({ value }) => value }],
}
/** `key=what`; what begins with `!` is refused. */
const pair: Codec<{ readonly key: string; readonly what: string }> = {
  decode: (record) => {
    const [key = '', what = ''] = (record.valueText() ?? '').split('=')
    return what.startsWith('!') ? new Rejection('refused', what) : { key, what }
  },
}
const inputs = {
  orders: { topic: 'orders', codec: pair },
  names: { topic: 'names', codec: pair, movesTime: false, partitions: 'all' },
} as const

const named = definePipeline({
  name: 'named',
  inputs,
  build: ({ orders, names }) => {
    const known = toTable(names, { name: 'names', by: ({ key }) => key, value: ({ what }) => what, maxKeys: 100 })
    const found = enrich(known, {
      by: ({ key }: { readonly key: string }) => key,
      with: ({ key, what }: { readonly key: string; readonly what: string }, name) => ({
        value: `${what} ${name ?? key}`,
      }),
    })
    return { seen: toPostgres(orders.pipe(found), seen), raw: toArchive(names) }
  },
})

/** Two tasks, beside a topic of three partitions. */
function world(pipeline: Pipeline = named as Pipeline, over: Partial<WorkerOptions> = {}) {
  const clock = new VirtualClock()
  const orders = new MemoryLog({ topic: 'orders', partitions: 2, clock })
  const names = new MemoryLog({ topic: 'names', partitions: 3, clock })
  const store = new MemoryCheckpointStore()
  const start = (changes: Partial<WorkerOptions> = {}) =>
    new Worker({ pipeline, source: orders, others: [names], store, archive: null, clock, ...over, ...changes })
  const values = () =>
    store
      .rows('seen')
      .map(({ value }) => String(value))
      .sort()
  names.add(
    { value: 'a=Ada', timestamp: 50, partition: 0 },
    { value: 'b=Bob', timestamp: 51, partition: 1 },
    { value: 'c=Cy', timestamp: 52, partition: 2 },
  )
  orders.add(
    { value: 'a=0a', timestamp: 1, partition: 0 },
    { value: 'c=0c', timestamp: 2, partition: 0 },
    { value: 'b=1b', timestamp: 3, partition: 1 },
    { value: 'a=1a', timestamp: 4, partition: 1 },
  )
  return { clock, orders, names, store, start, values }
}

async function drained(clock: VirtualClock, worker: Worker, mode: 'drain' | 'drain-and-close' = 'drain') {
  const running = worker.run()
  worker.stop(mode)
  await clock.run(running)
}

const first = ['0a Ada', '0c Cy', '1a Ada', '1b Bob']

describe('a table that every task reads whole', () => {
  it('is known to each task with the rows of all its partitions, from the first record on', async () => {
    const { clock, start, values, store } = world()
    await drained(clock, start())
    expect(values()).toEqual(first)
    expect(store.state.map(({ task }) => [task.topic, task.partition]).sort()).toEqual([
      ['orders', 0],
      ['orders', 1],
    ])
  })

  it('goes on in each task and each partition where it was, after a commit that nobody heard of', async () => {
    const { clock, orders, names, store, start, values } = world()
    const failing = forgetfulStore(store)
    const limits = { maxUncommittedRecords: 1 }
    await drained(clock, start({ limits, store: failing }))
    expect(values()).toEqual(first)
    names.add({ value: 'a=Anna', timestamp: 60, partition: 0 }, { value: 'd=Dee', timestamp: 61, partition: 1 })
    orders.add(
      { value: 'a=0a2', timestamp: 70, partition: 0 },
      { value: 'd=1d', timestamp: 70, partition: 1 },
      { value: 'c=1c', timestamp: 71, partition: 1 },
    )
    await drained(clock, start({ limits, store: failing }))
    expect(values()).toEqual([...first, '0a2 Anna', '1c Cy', '1d Dee'].sort())
  })

  it('sets a change aside once, however many tasks read it', async () => {
    const { clock, names, store, start } = world()
    names.add({ value: 'x=!bad', timestamp: 53, partition: 2 })
    await drained(clock, start())
    expect(store.deadLetters().map(({ topic, partition, offset }) => [topic, partition, offset])).toEqual([
      ['names', 2, 1],
    ])
  })

  it('is archived once', async () => {
    const { clock, store, start } = world(named as Pipeline, {
      archive: rawArchive({ store: new MemoryObjectStore(), compression: 'inline' }),
    })
    await drained(clock, start())
    expect(store.objects().map((one) => [one.topic, one.partition, one.recordCount])).toEqual([
      ['names', 0, 1],
      ['names', 1, 1],
      ['names', 2, 1],
    ])
  })

  it('leaves what timers set aside with the records of their own task, also behind a change', async () => {
    const pipeline = definePipeline({
      name: 'timed',
      inputs,
      build: ({ orders, names }) => {
        const known = toTable(names, { name: 'names', by: ({ key }) => key, value: ({ what }) => what, maxKeys: 100 })
        return {
          seen: toPostgres(
            orders.pipe(
              enrich(known, { by: ({ key }) => key, with: ({ what }) => what }),
              eventTime({ of: () => 5, maxOutOfOrdernessMs: 0 }),
              tumblingWindow({ name: 'w', sizeMs: 10, by: (what) => what }),
              aggregateWindow<string, string, { readonly value: string }>({
                initial: () => '',
                add: (all, what) => all + what,
                result: (all) => {
                  throw new TypeError(`none of ${all}`)
                },
              }),
            ),
            seen,
          ),
        }
      },
    }) as Pipeline
    const { clock, names, store, start } = world(pipeline)
    await drained(clock, start())
    names.add({ value: 'z=Zoe', timestamp: 100, partition: 0 })
    await drained(clock, start(), 'drain-and-close')
    const letters = store
      .deadLetters()
      .map(({ topic, partition, offset, detail }) => [topic, partition, offset, detail])
    expect(letters.sort()).toEqual([
      ['orders', 0, 1, 'TypeError: none of 0a'],
      ['orders', 0, 1, 'TypeError: none of 0c'],
      ['orders', 1, 1, 'TypeError: none of 1a'],
      ['orders', 1, 1, 'TypeError: none of 1b'],
    ])
  })

  it('is refused with a partition more than it had, for what is saved counts them', async () => {
    const { clock, orders, store, start } = world()
    await drained(clock, start())
    const grown = new MemoryLog({ topic: 'names', partitions: 4, clock })
    grown.add(
      { value: 'a=Ada', timestamp: 50, partition: 0 },
      { value: 'b=Bob', timestamp: 51, partition: 1 },
      { value: 'c=Cy', timestamp: 52, partition: 2 },
    )
    const worker = new Worker({
      pipeline: named as Pipeline,
      source: orders,
      others: [grown],
      store,
      archive: null,
      clock,
    })
    await expect(clock.run(worker.run())).rejects.toThrow(
      /topic names has a partition 3 that the checkpoint does not know/,
    )
  })

  it('is a table: its values come to no outlet, and it moves no time', async () => {
    const { clock, start } = world(
      definePipeline({
        name: 'written',
        inputs,
        build: ({ orders, names }) => ({
          seen: toPostgres(orders.pipe(map(({ what }) => ({ value: what }))), seen),
          names: toPostgres(names.pipe(map(({ what }) => ({ value: what }))), { ...seen, name: 'names' }),
        }),
      }) as Pipeline,
    )
    await expect(clock.run(start().run())).rejects.toThrow(
      /values of input names come to outlet names.*each would write them/,
    )
    const moving = { ...inputs, names: { topic: 'names', codec: pair, partitions: 'all' } } as const
    expect(() => definePipeline({ name: 'moving', inputs: moving, build: () => ({}) })).toThrow(ConfigurationError)
    expect(() => definePipeline({ name: 'moving', inputs: moving, build: () => ({}) })).toThrow(
      /a table is an input with movesTime: false/,
    )
  })
})
