import { filter, from, map, merge, mergeMap, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { intervalJoin } from '../../../src/operators/intervalJoin.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { upstreamTime } from '../../../src/operators/upstreamTime.ts'
import { InputMerge } from '../../../src/runtime/inputs/inputMerge.ts'
import { readMarker } from '../../../src/runtime/log/marker.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker, type WorkerOptions } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'
import { testMarker } from '../../../src/testing/kit/testMarker.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const order = z.object({ customer: z.string(), at: z.number(), amount: z.number() })
const codec = jsonCodec(order)
type Order = z.infer<typeof order>

const spread = (options: { idleAfterMs?: number; name?: string; outlet?: string } = {}) => {
  const { idleAfterMs, name = 'spread', outlet = 'out' } = options
  return definePipeline({
    name,
    ...(idleAfterMs === undefined ? {} : { idleAfterMs }),
    build: (records) => ({
      [outlet]: toTopic(records.pipe(decode(codec), eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 })), {
        topic: 'by_customer',
        by: ({ customer }) => customer,
        at: ({ at }) => at,
        encode: (value) => JSON.stringify(value),
        markers: true,
      }),
    }),
  })
}

const daily = (options: { from?: readonly string[]; maxUnmarked?: number } = {}) =>
  definePipeline({
    name: 'daily',
    build: (records) => ({
      spent: toPostgres(
        records.pipe(
          decode(codec),
          upstreamTime({ of: ({ at }) => at, ...options }),
          tumblingWindow({ name: 'day', sizeMs: 100, by: ({ customer }) => customer }),
          aggregateWindow({
            initial: () => 0,
            add: (sum, { amount }) => sum + amount,
            result: (spent, { key, start }) => ({ customer: key, start, spent }),
          }),
        ),
        {
          mode: 'append',
          name: 'spent',
          columns: [
            { name: 'customer', type: 'text', of: (row) => row.customer },
            { name: 'start', type: 'bigint', of: (row) => row.start },
            { name: 'spent', type: 'integer', of: (row) => row.spent },
          ],
        },
      ),
    }),
  })

/** Two pipelines with a topic between them. */
class Hop {
  readonly clock = new VirtualClock()
  readonly orders: MemoryLog
  readonly between: MemoryLog
  readonly above = new MemoryCheckpointStore()
  readonly below = new MemoryCheckpointStore()

  constructor(partitions: number, below: number) {
    this.orders = new MemoryLog({ topic: 'orders', partitions, clock: this.clock })
    this.between = new MemoryLog({ topic: 'by_customer', partitions: below, clock: this.clock })
  }

  order(partition: number, ...orders: readonly Order[]): void {
    this.orders.add(...orders.map((one) => ({ partition, value: JSON.stringify(one) })))
  }

  worker(pipeline: Pipeline, over: Partial<WorkerOptions> = {}): Worker {
    const isAbove = pipeline.name !== 'daily'
    return new Worker({
      pipeline,
      source: isAbove ? this.orders : this.between,
      store: isAbove ? this.above : this.below,
      openTopic: async () => this.between.outgoing(),
      archive: null,
      clock: this.clock,
      ...over,
    })
  }

  async run(pipeline: Pipeline, mode: 'drain' | 'drain-and-close' = 'drain', over: Partial<WorkerOptions> = {}) {
    const worker = this.worker(pipeline, over)
    const running = worker.run()
    worker.stop(mode)
    await this.clock.run(running)
    return worker.status()
  }

  rows(): string[] {
    return this.below.rows('spent').map(({ customer, start, spent }) => `${customer} ${start} ${spent}`)
  }

  async records(partition: number): Promise<RecordView[]> {
    const batch = await this.between.reader(partition).fetch({ maxBytes: 1e9, maxWaitMs: 0 })
    const views: RecordView[] = []
    for (let view = new RecordView(); batch?.read(view) === true; view = new RecordView()) views.push(view)
    return views
  }

  async markers(partition: number) {
    return (await this.records(partition)).map(readMarker).filter((marker) => marker !== null)
  }

  letters(store: MemoryCheckpointStore): string[] {
    return store.deadLetters().map(({ operator, reason }) => `${operator} ${reason}`)
  }
}

const anOrder = (customer: string, at: number, amount = 1): Order => ({ customer, at, amount })

describe('a hop', () => {
  it('tells every partition below how far each task above is, and the task above waits for the slowest', async () => {
    const hop = new Hop(2, 3)
    hop.order(0, anOrder('a', 10), anOrder('b', 50), anOrder('a', 250))
    hop.order(1, anOrder('a', 20), anOrder('b', 120))
    await hop.run(spread())
    for (const partition of [0, 1, 2]) {
      expect(await hop.markers(partition)).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ pipeline: 'spread', task: 0, tasks: 2, watermark: 249, isEnd: false }),
          expect.objectContaining({ pipeline: 'spread', task: 1, tasks: 2, watermark: 119, isEnd: false }),
        ]),
      )
    }
    const status = await hop.run(daily())
    // At 119 the first window is over, and that of 200 to 300 is open.
    expect(hop.rows().sort()).toEqual(['a 0 2', 'b 0 1'])
    expect(status.map(({ watermark }) => watermark)).toEqual([119, 119, 119])
    expect(status[0]?.operators.find(({ name }) => name === 'upstreamTime')?.heldBy).toContain('task 1 of 2')
    expect(hop.letters(hop.below)).toEqual([])
  })

  it('is held back by a task that nobody works on, of which the markers of the others tell', () => {
    const run = testPipeline(daily())
    const tell = (task: number, watermark: number) => run.push(testMarker({ task, tasks: 3, watermark }))
    run.pushValues(anOrder('a', 10))
    for (const task of [0, 2, 0]) tell(task, 300)
    expect(run.watermark).toBeNull()
    expect(run.rows('spent')).toEqual([])
    tell(1, 99)
    expect(run.rows('spent')).toEqual([{ customer: 'a', start: 0, spent: 1 }])
    run.finish()
  })

  it('is held back by a task that has read nothing, which its marker tells', async () => {
    const hop = new Hop(2, 1)
    hop.order(0, anOrder('a', 10), anOrder('a', 250))
    await hop.run(spread())
    const [status] = await hop.run(daily())
    expect(hop.rows()).toEqual([])
    expect(status?.watermark).toBeNull()
    expect(status?.operators.find(({ name }) => name === 'upstreamTime')?.heldBy).toMatch(
      /^task 1 of 2 of pipeline spread .* has read nothing that moves its time/,
    )
  })

  it('ends where all above have ended, and goes on where one comes back', async () => {
    const hop = new Hop(2, 1)
    hop.order(0, anOrder('a', 10))
    hop.order(1, anOrder('a', 20))
    await hop.run(spread(), 'drain-and-close')
    await hop.run(daily())
    expect(hop.rows()).toEqual(['a 0 2'])
    hop.order(0, anOrder('a', 310))
    await hop.run(spread())
    await hop.run(daily())
    // Neither has ended any more, and one has not come to the window's end.
    expect(hop.rows()).toEqual(['a 0 2'])
    hop.order(0, anOrder('a', 510))
    hop.order(1, anOrder('a', 520))
    await hop.run(spread())
    await hop.run(daily())
    expect(hop.rows()).toEqual(['a 0 2', 'a 300 1'])
    expect(hop.letters(hop.below)).toEqual([])
  })

  it('follows the recorded idle step of a silent task, also long after its last value', async () => {
    const hop = new Hop(2, 1)
    const above = hop.worker(spread({ idleAfterMs: 1_000 }))
    const below = hop.worker(daily())
    const running = Promise.all([above.run(), below.run()])
    const now = Math.ceil(hop.clock.now() / 100) * 100
    hop.order(0, anOrder('a', now + 10), anOrder('a', now + 4_000))
    const told: string[][] = []
    const life = async () => {
      for (let waited = 0; waited < 3; waited++) {
        await hop.clock.sleep(4_000)
        told.push(hop.rows())
      }
      above.stop('now')
      below.stop('now')
      await running
    }
    await hop.clock.run(life())
    // 4 s later the second one's window is open in the other task, which has read nothing.
    expect(told).toEqual([[`a ${now} 1`], [`a ${now} 1`, `a ${now + 4_000} 1`], expect.anything()])
    expect(hop.above.idleAdvances().length).toBeGreaterThan(0)
  })

  it('waits from the start for each pipeline that it names, and for no other', async () => {
    const hop = new Hop(1, 1)
    hop.order(0, anOrder('a', 10), anOrder('a', 250))
    await hop.run(spread({ name: 'web' }))
    const [waiting] = await hop.run(daily({ from: ['web', 'shops'] }))
    expect(hop.rows()).toEqual([])
    expect(waiting?.operators.find(({ name }) => name === 'upstreamTime')?.heldBy).toMatch(/^pipeline shops/)
    await hop.run(spread({ name: 'shops' }))
    await hop.run(daily({ from: ['web', 'shops/orders'] }))
    expect(hop.rows()).toEqual(['a 0 2'])
  })

  it('is not held back by an outlet that has another name now', async () => {
    const hop = new Hop(1, 1)
    hop.order(0, anOrder('a', 10))
    await hop.run(spread({ outlet: 'before' }))
    hop.order(0, anOrder('a', 250))
    await hop.run(spread({ outlet: 'now' }))
    await hop.run(daily())
    expect(hop.rows()).toEqual(['a 0 1'])
  })

  it('tells again at each start, so that who comes later hears of a task that has nothing new', async () => {
    const hop = new Hop(1, 1)
    hop.order(0, anOrder('a', 10), anOrder('a', 250))
    await hop.run(spread())
    const first = (await hop.markers(0)).length
    await hop.run(spread())
    expect((await hop.markers(0)).length).toBe(first + 1)
  })

  it('goes back with a task that begins anew, but not behind what it has let through', () => {
    const run = testPipeline(daily())
    const tell = (task: number, watermark: number) => run.push(testMarker({ task, tasks: 2, watermark }))
    tell(0, 249)
    expect(run.watermark).toBeNull()
    tell(1, 400)
    expect(run.watermark).toBe(249)
    // As after a drop of its state: it sends everything once more.
    tell(0, 99)
    tell(1, 600)
    expect(run.watermark).toBe(249)
    run.pushValues(anOrder('a', 260), anOrder('a', 120))
    tell(0, 320)
    expect(run.watermark).toBe(320)
    expect(run.rows('spent')).toEqual([{ customer: 'a', start: 200, spent: 1 }])
    expect(run.deadLetters()).toMatchObject([{ reason: 'late' }])
    run.finish()
  })
})

describe('markers', () => {
  it('are no values to a pipeline that does not ask for them', async () => {
    const hop = new Hop(1, 1)
    hop.order(0, anOrder('a', 10), anOrder('a', 250))
    await hop.run(spread())
    const copy = definePipeline({
      name: 'daily',
      build: (records) => ({
        seen: toPostgres(records.pipe(map((record) => ({ value: record.valueText() ?? '' }))), {
          mode: 'append',
          name: 'seen',
          columns: [{ name: 'value', type: 'text', of: (row) => row.value }],
        }),
      }),
    })
    await hop.run(copy)
    expect(hop.below.rows('seen')).toHaveLength(2)
  })

  it('that cannot be read, or say more than can be kept in mind, are dead letters', async () => {
    const hop = new Hop(1, 1)
    const header = (value: string) => [{ key: 'millrace-marker', value: Buffer.from(value) }]
    const sound = { pipeline: 'x', topic: 't', outlet: 'o', outlets: ['o'], task: 0, tasks: 1, watermark: 1 }
    const bad = [
      { task: 3, tasks: 3 },
      { tasks: 10_001 },
      { outlets: ['p'] },
      { watermark: 1.5 },
      { outlets: Array.from({ length: 11 }, (_, i) => (i === 0 ? 'o' : `o${i}`)), tasks: 10_000 },
      { pipeline: 'x'.repeat(70_000) },
    ]
    hop.between.add(
      { value: 'no json', headers: header('1') },
      { value: '[]', headers: header('1') },
      { value: '{}', headers: header('2') },
      ...bad.map((wrong) => ({ value: JSON.stringify({ ...sound, ...wrong }), headers: header('1') })),
    )
    await hop.run(daily())
    expect(hop.letters(hop.below)).toEqual(Array.from({ length: 3 + bad.length }, () => 'daily bad-marker'))
    hop.between.add({ value: JSON.stringify(sound), headers: header('1') })
    expect(await hop.run(daily())).toMatchObject([{ watermark: 1 }])
  })

  it('need a time above them', async () => {
    const timeless = definePipeline({
      name: 'timeless',
      build: (records) => ({
        out: toTopic(records.pipe(decode(codec)), {
          topic: 'by_customer',
          at: ({ at }) => at,
          encode: (value) => JSON.stringify(value),
          markers: true,
        }),
      }),
    })
    await expect(new Hop(1, 1).run(timeless)).rejects.toThrow(/outlet out writes markers.*eventTime/)
  })
})

describe('a marker among several inputs', () => {
  it('goes when what came before it has gone, and leaves the order of the values as it is', () => {
    const input = (topic: string) => ({ topic, maxAdvanceMs: 10, movesTime: true })
    const order = new InputMerge([input('a'), input('b')], null, false)
    const next = () =>
      order.next(
        [0, 0],
        () => false,
        () => false,
      )
    order.arrive(0, 0, 5_000, null, true)
    order.arrive(1, 0, 50)
    expect(next()).toBe(0)
    order.take(0, [0, 0])
    order.arrive(0, 1, 100)
    expect(next()).toBe(1)
  })
})

describe('upstreamTime', () => {
  it('says what it waits for where the topic has no markers, and ends when too many values have come', async () => {
    const hop = new Hop(1, 1)
    hop.between.add(...[1, 2, 3].map((at) => ({ value: JSON.stringify(anOrder('a', at)) })))
    const worker = hop.worker(daily())
    const running = worker.run()
    const told: (string | null)[] = []
    const life = async () => {
      await hop.clock.sleep(2_500)
      told.push(worker.status()[0]?.waitingFor ?? null)
      worker.stop('now')
      await running
    }
    await hop.clock.run(life())
    expect(told[0]).toMatch(/markers, of which none has come: toTopic\(\{ markers: true \}\)/)
    await expect(hop.run(daily({ maxUnmarked: 2 }), 'drain', { store: new MemoryCheckpointStore() })).rejects.toThrow(
      /2 values have come and no marker/,
    )
  })

  it('is refused below what markers would overtake, below several inputs, and beside idleAfterMs', async () => {
    const loose = definePipeline({
      name: 'daily',
      build: (records) => ({
        out: toPostgres(
          records.pipe(
            decode(codec),
            batchFlush({ maxCount: 10 }),
            mergeMap((batch) => batch),
            upstreamTime({ of: ({ at }) => at }),
          ),
          { mode: 'append', name: 'spent', columns: [{ name: 'at', type: 'integer', of: (row) => row.at }] },
        ),
      }),
    })
    const hop = new Hop(1, 1)
    hop.between.add({ value: JSON.stringify(anOrder('a', 1)) })
    await expect(hop.run(loose)).rejects.toThrow(/batchFlush above it lets values go at checkpoints/)
    const idle = { ...daily(), idleAfterMs: 1_000 }
    await expect(new Hop(1, 1).run(idle)).rejects.toThrow(/follows markers alone/)
  })
})

describe('a hop beside other inputs', () => {
  const joined = definePipeline({
    name: 'joined',
    inputs: { orders: { topic: 'by_customer', codec }, payments: { topic: 'payments', codec } },
    build: ({ orders, payments }) => ({
      pairs: toPostgres(
        orders.pipe(
          upstreamTime({ of: ({ at }) => at }),
          intervalJoin(payments.pipe(eventTime({ name: 'paid', of: ({ at }) => at, maxOutOfOrdernessMs: 0 })), {
            name: 'pairs',
            by: { left: ({ customer }) => customer, right: ({ customer }) => customer },
            fromMs: 0,
            toMs: 100,
            how: 'left',
            with: (order, payment) => ({ at: order.at, paid: payment?.at ?? -1 }),
          }),
        ),
        {
          mode: 'append',
          name: 'pairs',
          columns: [
            { name: 'at', type: 'integer', of: (row) => row.at },
            { name: 'paid', type: 'integer', of: (row) => row.paid },
          ],
        },
      ),
    }),
  })

  it('has the lesser time of both, and is left out where all above have ended, until one comes back', () => {
    const run = testPipeline(joined, { crashAt: [1, 3, 4] })
    run.pushValues('orders', anOrder('a', 10), anOrder('b', 500))
    run.pushValues('payments', anOrder('a', 50), anOrder('c', 400))
    expect(run.watermark).toBeNull()
    run.push('orders', testMarker({ watermark: 200 }))
    expect(run.watermark).toBe(200)
    run.push('orders', testMarker({ watermark: 300, isEnd: true }))
    expect(run.watermark).toBe(399)
    run.pushValues('payments', anOrder('c', 450))
    expect(run.watermark).toBe(449)
    run.push('orders', testMarker({ watermark: 460 }))
    run.pushValues('payments', anOrder('c', 900))
    expect(run.watermark).toBe(460)
    run.push('orders', testMarker({ watermark: 600 }))
    expect(run.rows('pairs')).toEqual([
      { at: 10, paid: 50 },
      // Nothing was paid for the other one by 600.
      { at: 500, paid: -1 },
    ])
    run.push('orders', testMarker({ watermark: 600, isEnd: true }))
    run.finish({ mayBeOpen: true })
  })

  it('cannot have its time moved by hand', () => {
    expect(() => testPipeline(daily()).advanceTo(5)).toThrow(/testMarker/)
  })

  it('is refused where one upstreamTime stands below several inputs', () => {
    const merged = definePipeline({
      name: 'merged',
      inputs: { a: { topic: 'a', codec }, b: { topic: 'b', codec } },
      build: ({ a, b }) => ({
        out: toPostgres(merge(a, b).pipe(upstreamTime({ of: ({ at }) => at })), {
          mode: 'append',
          name: 'pairs',
          columns: [{ name: 'at', type: 'integer', of: (row) => row.at }],
        }),
      }),
    })
    expect(() => testPipeline(merged)).toThrow(/stands below several inputs/)
  })

  it('refuses options that say nothing', () => {
    const of = ({ at }: Order) => at
    expect(() => upstreamTime({ of, from: [] })).toThrow(/names of pipelines/)
    expect(() => upstreamTime({ of, from: 'web' as never })).toThrow(/names of pipelines/)
    expect(() => upstreamTime({ of, maxUnmarked: -1 })).toThrow(/maxUnmarked/)
    expect(() => upstreamTime({} as never)).toThrow(/of is missing; it must be a function/)
    const errors: unknown[] = []
    from([anOrder('a', 1)])
      .pipe(upstreamTime({ of }))
      .subscribe({ error: (error) => errors.push(error) })
    expect(String(errors[0])).toContain('Use eventTime')
  })
})

it('a step that fails on what a marker has set off fails on that value alone', async () => {
  const failing = definePipeline({
    name: 'daily',
    build: (records) => ({
      spent: toPostgres(
        records.pipe(
          decode(codec),
          upstreamTime({ of: ({ at }) => at }),
          tumblingWindow({ name: 'day', sizeMs: 100, by: ({ customer }) => customer }),
          aggregateWindow({
            initial: () => 0,
            add: (sum, { amount }) => sum + amount,
            result: (spent, { key, start }) => ({ customer: key, start, spent }),
          }),
          map((row) => {
            if (row.customer === 'b') throw new Error('drawn to fail')
            return row
          }),
        ),
        {
          mode: 'append',
          name: 'spent',
          columns: [
            { name: 'customer', type: 'text', of: (row) => row.customer },
            { name: 'start', type: 'integer', of: (row) => row.start },
            { name: 'spent', type: 'integer', of: (row) => row.spent },
          ],
        },
      ),
    }),
  })
  const hop = new Hop(1, 1)
  hop.order(0, anOrder('a', 10), anOrder('b', 20), anOrder('c', 30), anOrder('a', 250))
  await hop.run(spread())
  await hop.run(failing)
  expect(hop.rows().sort()).toEqual(['a 0 1', 'c 0 1'])
  expect(hop.below.deadLetters()).toMatchObject([{ operator: 'aggregateWindow', reason: 'failed' }])
  const kit = testPipeline(failing)
  kit.pushValues(anOrder('a', 10), anOrder('b', 20), anOrder('c', 30))
  kit.push(testMarker({ watermark: 150 }))
  expect(kit.rows('spent')).toHaveLength(2)
  expect(kit.deadLetters()).toHaveLength(1)
  kit.finish()
})

describe('the tasks above', () => {
  it('may become more, of which one that has not heard of them says nothing else', () => {
    const run = testPipeline(daily())
    const tell = (task: number, tasks: number, watermark: number) => run.push(testMarker({ task, tasks, watermark }))
    tell(0, 1, 100)
    expect(run.watermark).toBe(100)
    tell(0, 2, 200)
    tell(0, 1, 300)
    expect(run.watermark).toBe(100)
    tell(1, 2, 150)
    expect(run.watermark).toBe(150)
    run.finish()
  })

  it('count by each of their outlets into the topic, whose messages are sent apart', async () => {
    const halves = definePipeline({
      name: 'halves',
      build: (records) => {
        const orders = records.pipe(decode(codec), eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }), share())
        const into = {
          ...{ topic: 'by_customer', markers: true },
          by: ({ customer }: Order) => customer,
          at: ({ at }: Order) => at,
          encode: (value: Order) => JSON.stringify(value),
        }
        return {
          large: toTopic(orders.pipe(filter(({ amount }) => amount >= 5)), into),
          small: toTopic(orders.pipe(filter(({ amount }) => amount < 5)), into),
        }
      },
    })
    const hop = new Hop(1, 2)
    hop.order(0, anOrder('a', 10, 9), anOrder('a', 20, 1), anOrder('b', 250, 1))
    await hop.run(halves)
    const run = testPipeline(daily())
    run.pushValues(anOrder('a', 10, 9))
    run.push(testMarker({ outlet: 'large', outlets: ['large', 'small'], watermark: 249 }))
    expect(run.watermark).toBeNull()
    run.push(testMarker({ outlet: 'small', outlets: ['large', 'small'], watermark: 199 }))
    expect(run.watermark).toBe(199)
    run.finish()
    const told = (await hop.markers(0)).map((marker) => (typeof marker === 'object' ? marker.outlet : marker))
    expect(told.sort()).toEqual(['large', 'small'])
    await hop.run(daily())
    expect(hop.rows()).toEqual(['a 0 10'])
  })
})
