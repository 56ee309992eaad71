import { concatMap, from, lastValueFrom, map, merge, type Observable, of, toArray } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { decode } from '../../src/operators/decode.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { inOrder } from '../../src/operators/inOrder.ts'
import { intervalJoin } from '../../src/operators/intervalJoin.ts'
import { type LookupOptions, lookup } from '../../src/operators/lookup.ts'
import { ConfigurationError, OperatorError, RetryableError } from '../../src/runtime/errors.ts'
import type { Codec } from '../../src/runtime/log/codec.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { Worker, type WorkerOptions } from '../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import { MemoryCheckpointStore } from '../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { Random } from '../../src/testing/random.ts'
import { VirtualClock } from '../../src/testing/virtualClock.ts'
import { ChainTask } from '../support/tasks.ts'

interface Order {
  readonly customer: string
  readonly at: number
}

type Tier = LookupOptions<Order, string, string>

/** A service that counts who was asked about, and says something else each time. */
function service(answers: Readonly<Record<string, string | null>> = {}) {
  const asked: string[] = []
  const get = async (key: string): Promise<string | null> => {
    asked.push(key)
    const answer = Object.hasOwn(answers, key) ? (answers[key] as string | null) : `${key}#${asked.length}`
    await null
    return answer
  }
  return { asked, get }
}

const tier = (options: Partial<Tier> & Pick<Tier, 'get'>) =>
  lookup<Order, string, string>({
    name: 'tier',
    by: ({ customer }) => customer,
    with: ({ customer }, answer) => `${customer}=${answer}`,
    concurrency: 4,
    ...options,
  })

const timed = (orders: Observable<Order>) => orders.pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }))

const orders = (...customers: readonly string[]): Order[] => customers.map((customer, at) => ({ customer, at }))

const once = (options: Partial<Tier> & Pick<Tier, 'get'>, ...customers: readonly string[]) =>
  lastValueFrom(from(orders(...customers)).pipe(tier(options), toArray()))

describe('lookup', () => {
  it('asks once about a key at a time, and keeps the order of the values', async () => {
    const { asked, get } = service()
    expect(await once({ get }, 'a', 'b', 'a', 'c', 'b')).toEqual(['a=a#1', 'b=b#2', 'a=a#1', 'c=c#3', 'b=b#2'])
    expect(asked).toEqual(['a', 'b', 'c'])
  })

  it('asks no more than so many at once', async () => {
    let underWay = 0
    let most = 0
    const get = async (key: string) => {
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setImmediate(resolve))
      underWay -= 1
      return key
    }
    await once({ get, concurrency: 2 }, 'a', 'b', 'c', 'd', 'e')
    expect(most).toBe(2)
  })

  it('keeps what was used last and may still hold, counted after each value', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = new Random(`lookup ${seed}`)
      const [maxEntries, ttlMs, missTtlMs] = [random.int(1, 5), random.int(1, 40), random.int(1, 60)]
      const get = async (key: string) => (key < 'd' ? null : key)
      const cache = { maxEntries, ttlMs, missTtlMs }
      const run = new ChainTask<Order>((all) => timed(all).pipe(tier({ get, cache, record: true })))
      /** By key, the least recently used first: the latest time of a value that has used it. */
      const kept = new Map<string, number>()
      let watermark = Number.NEGATIVE_INFINITY
      let now = 0
      for (let i = 0; i < 40; i += 1) {
        now += random.int(0, 12)
        const order = {
          customer: random.pick(['a', 'b', 'c', 'd', 'e', 'f', 'g']),
          at: now - random.pick([0, 0, 0, 30]),
        }
        run.push(order)
        await run.task.settle()
        const usedAt = Math.max(order.at, kept.get(order.customer) ?? order.at)
        kept.delete(order.customer)
        kept.set(order.customer, usedAt)
        for (const key of kept.keys()) if (kept.size > maxEntries) kept.delete(key)
        if (order.at - 1 > watermark) {
          watermark = order.at - 1
          for (const [key, at] of kept) if (at + Math.max(ttlMs, missTtlMs) <= watermark) kept.delete(key)
        }
        run.cut()
        const { keyCount } = run.task.operatorStatus().find(({ name }) => name === 'tier') ?? {}
        expect(keyCount, `seed ${seed}, value ${i}, ${JSON.stringify(cache)}`).toBe(kept.size)
      }
    }
  })

  it('keeps the answers that were used last', async () => {
    const { asked, get } = service()
    const run = new ChainTask<Order>((all) => all.pipe(tier({ get, cache: { maxEntries: 2 } })))
    for (const customer of ['a', 'b', 'a', 'c', 'a', 'b']) {
      run.push({ customer, at: 0 })
      await run.task.settle()
    }
    expect(asked).toEqual(['a', 'b', 'c', 'b'])
    expect(run.out).toEqual(['a=a#1', 'b=b#2', 'a=a#1', 'c=c#3', 'a=a#1', 'b=b#4'])
  })

  it('passes on at once what it need not ask about, unless something before it waits', async () => {
    const { get } = service()
    const run = new ChainTask<Order>((all) => all.pipe(tier({ get, cache: { maxEntries: 2 } })))
    run.push({ customer: 'a', at: 0 })
    await run.task.settle()
    run.push({ customer: 'a', at: 1 })
    expect(run.out).toEqual(['a=a#1', 'a=a#1'])
    run.push({ customer: 'b', at: 2 }, { customer: 'a', at: 3 })
    expect(run.out).toHaveLength(2)
    await run.task.settle()
    expect(run.out.slice(2)).toEqual(['b=b#2', 'a=a#1'])
  })

  it.each([
    ['an answer', { ttlMs: 10 }, {}, ['a', 'a']],
    ['an answer that there is nothing', { ttlMs: 1_000, missTtlMs: 10 }, { a: null }, ['a', 'a']],
    ['nothing, without a time for it', { ttlMs: 1_000 }, { a: null }, ['a', 'a', 'a']],
    ['an answer for ever, without a time for it', {}, {}, ['a']],
  ])('lets %s hold for its time, by the event time of the values', async (_what, times, answers, expected) => {
    const { asked, get } = service(answers)
    const run = new ChainTask<Order>((all) => timed(all).pipe(tier({ get, cache: { maxEntries: 9, ...times } })))
    for (const at of [100, 109, 110]) {
      run.push({ customer: 'a', at })
      await run.task.settle()
    }
    expect(asked).toEqual(expected)
  })

  it('measures by the timestamps of the records where no eventTime stands above', async () => {
    const { asked, get } = service()
    await worked(
      { records: [0, 9, 10].map((ms) => ({ customer: 'a', ms })) },
      { get, cache: { maxEntries: 9, ttlMs: 10 } },
    )
    expect(asked).toEqual(['a', 'a'])
  })

  it('measures by eventTime in a plain program as well', async () => {
    const { asked, get } = service()
    const oneByOne = from([0, 9, 10]).pipe(
      concatMap(async (at) => {
        await new Promise((resolve) => setImmediate(resolve))
        return { customer: 'a', at }
      }),
    )
    await lastValueFrom(timed(oneByOne).pipe(tier({ get, cache: { maxEntries: 9, ttlMs: 10 } }), toArray()))
    expect(asked).toEqual(['a', 'a'])
  })

  it('refuses a ttl in a plain program without eventTime, where it would have no meaning', async () => {
    await expect(once({ get: service().get, cache: { maxEntries: 9, ttlMs: 10 } }, 'a')).rejects.toThrow(OperatorError)
  })

  it('forgets by event time what is not used any more', async () => {
    const { get } = service()
    const chain = (all: Observable<Order>) =>
      timed(all).pipe(tier({ get, record: true, cache: { maxEntries: 99, ttlMs: 10 } }))
    const run = new ChainTask<Order>(chain).push(...orders('a', 'b', 'c'))
    await run.task.settle()
    expect(run.task.operatorStatus().find(({ name }) => name === 'tier')?.keyCount).toBe(3)
    run.push({ customer: 'd', at: 100 })
    await run.task.settle()
    expect(run.task.operatorStatus().find(({ name }) => name === 'tier')?.keyCount).toBe(1)
  })

  it('sets aside whoever has waited for a call that fails, and asks again for the next', async () => {
    let calls = 0
    const get = async () => {
      calls += 1
      if (calls === 1) throw new Error('no such page')
      return 'gold'
    }
    const run = new ChainTask<Order>((all) => all.pipe(tier({ get, cache: { maxEntries: 9 } })))
    run.push(...orders('a', 'a'))
    await run.task.settle()
    run.push(...orders('a'))
    await run.task.settle()
    expect(run.out).toEqual(['a=gold'])
    const { deadLetters } = run.cut()
    expect(deadLetters.map(({ offset, operator, reason, detail }) => [offset, operator, reason, detail])).toEqual([
      [0, 'tier', 'failed', 'Error: no such page'],
      [1, 'tier', 'failed', 'Error: no such page'],
    ])
  })

  it('ends the task where the service is away, to try again', async () => {
    const get = () => Promise.reject(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))
    const run = new ChainTask<Order>((all) => all.pipe(tier({ get }))).push(...orders('a'))
    await expect(run.task.settle()).rejects.toThrow(RetryableError)
  })

  it('drops a value for which with gives null, and sets aside one on which it throws or get gives undefined', async () => {
    const run = new ChainTask<Order>((all) =>
      all.pipe(
        tier({
          get: async (key) => (key === 'u' ? (undefined as never) : key),
          with: ({ customer }) => {
            if (customer === 't') throw new Error('thrown')
            return customer === 'n' ? null : customer
          },
        }),
      ),
    ).push(...orders('n', 't', 'u', 'a'))
    await run.task.settle()
    expect(run.out).toEqual(['a'])
    expect(run.cut().deadLetters.map(({ offset, detail }) => [offset, detail])).toEqual([
      [1, 'Error: thrown'],
      [2, 'TypeError: get must give an answer, or null where there is none, got undefined'],
    ])
  })

  it.each([
    [{ cache: { maxEntries: 0 } }, 'maxEntries must be a whole number from 1'],
    [{ cache: {} as never }, 'maxEntries is missing'],
    [{ cache: { maxEntries: 1, ttlMs: 0 } }, 'ttlMs must be a whole number of ms from 1'],
    [{ cache: { maxEntries: 1, missTtlMs: 'soon' as never } }, 'missTtlMs'],
    [{ concurrency: 0 }, 'concurrency must be a positive integer'],
    [{ perSecond: 0 }, 'perSecond must be a positive number'],
    [{ perSecond: Number.POSITIVE_INFINITY }, 'perSecond must be a positive number'],
  ] as const)('refuses %j', (options, message) => {
    const { get } = service()
    expect(() => tier({ get, ...options })).toThrow(ConfigurationError)
    expect(() => tier({ get, ...options })).toThrow(message)
  })

  it('may not stand above a join of several inputs, where a replay would interleave otherwise', async () => {
    const { get } = service()
    const codec = json<Order>()
    const pipeline = definePipeline({
      name: 'joined',
      inputs: { left: { topic: 'left', codec }, right: { topic: 'right', codec } },
      build: ({ left, right }) => ({
        rows: toPostgres(
          merge(
            left.pipe(
              tier({ get }),
              map((text) => ({ text })),
            ),
            right.pipe(map(({ customer }) => ({ text: customer }))),
          ).pipe(inOrder({ name: 'sorted' })),
          texts,
        ),
      }),
    })
    const { clock, log } = world([{ customer: 'a', ms: 1 }])
    const right = new MemoryLog({ topic: 'right', partitions: 1, clock })
    right.add({ value: JSON.stringify({ customer: 'b', at: 1 }), timestamp: 2 })
    const worker = new Worker({
      ...{ pipeline, source: log, others: [right], store: new MemoryCheckpointStore(), archive: null, clock },
    })
    const running = worker.run()
    worker.stop('drain')
    await expect(clock.run(running)).rejects.toThrow(OperatorError)
    expect(() =>
      intervalJoin(of(), { name: 'j', by: { left: String, right: String }, fromMs: 0, toMs: 1, with: () => 1 }),
    ).not.toThrow()
  })
})

describe('the pace of a lookup', () => {
  it('lets so many calls go in a second, in all partitions together', async () => {
    const times: number[] = []
    const { clock, log } = world([], 4)
    const get = async (key: string) => {
      times.push(clock.now())
      return key
    }
    for (let i = 0; i < 40; i++)
      log.add({ value: JSON.stringify({ customer: `c${i}`, at: i }), timestamp: i, partition: i % 4 })
    const start = clock.now()
    await run(clock, { pipeline: tiers({ get, perSecond: 20, concurrency: 50 }), source: log })
    expect(times).toHaveLength(40)
    // 5 a second in each of 4 tasks, the first at once.
    expect(times.at(-1)! - start).toBeGreaterThanOrEqual(1_750)
    expect(times.at(-1)! - start).toBeLessThan(2_500)
    for (const from of times)
      expect(times.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(24)
  })

  it('does not wait for a clock that was set back to catch up', async () => {
    const { clock, log } = world(['a', 'b', 'c', 'd'].map((customer, ms) => ({ customer, ms })))
    let behindMs = 0
    const jumping = { now: () => clock.now() - behindMs, sleep: clock.sleep.bind(clock) }
    const times: number[] = []
    const get = async (key: string) => {
      times.push(clock.now())
      behindMs = 3_600_000
      return key
    }
    await run(clock, { pipeline: tiers({ get, perSecond: 10 }), source: log, clock: jumping })
    expect(times.at(-1)! - times[0]!).toBeLessThan(2_000)
  })
})

describe('the recorded answers of a lookup', () => {
  const customers = ['a', 'b', 'a', 'c', 'n', 'a', 'f', 'b', 'n', 'c', 'd', 'a', 'f', 'b']
  const records = customers.map((customer, i) => ({ customer, ms: i * 7 }))
  const cache = { maxEntries: 2, ttlMs: 30, missTtlMs: 10 }

  /** Says something else at each call; nothing about n, and an error about f. */
  function moody() {
    let calls = 0
    const get = async (key: string) => {
      calls += 1
      const call = calls
      await null
      if (key === 'f') throw new Error(`call ${call} failed`)
      return key === 'n' ? null : `call ${call}`
    }
    return { get, calls: () => calls }
  }

  it('make a replay equal to what was live, without a call', async () => {
    const live = moody()
    const { clock, log } = world(records)
    const store = new MemoryCheckpointStore()
    const limits = { maxUncommittedRecords: 3 }
    await run(clock, { pipeline: tiers({ get: live.get, record: true, cache }), source: log, store, limits })
    expect(live.calls()).toBeGreaterThan(8)
    const again = moody()
    const replayed = new MemoryCheckpointStore()
    await run(clock, {
      pipeline: tiers({ get: again.get, record: true, cache }, 'again'),
      ...{ source: log, store: withAnswersOf(store, replayed), replayOf: 'tiers' },
      limits: { maxUncommittedRecords: 100 },
    })
    expect(again.calls()).toBe(0)
    expect(replayed.rows('texts')).toEqual(store.rows('texts'))
    expect(replayed.deadLetters().map(({ offset, detail }) => [offset, detail])).toEqual(
      store.deadLetters().map(({ offset, detail }) => [offset, detail]),
    )
    expect(store.deadLetters().length).toBeGreaterThan(0)
  })

  it('are read when the same pipeline reads the records again', async () => {
    const first = moody()
    const { clock, log } = world(records)
    const store = new MemoryCheckpointStore()
    await run(clock, { pipeline: tiers({ get: first.get, record: true, cache }), source: log, store })
    const second = moody()
    const fresh = new MemoryCheckpointStore()
    await run(clock, {
      pipeline: tiers({ get: second.get, record: true, cache }),
      source: log,
      store: withAnswersOf(store, fresh),
    })
    expect(second.calls()).toBe(0)
    expect(fresh.rows('texts')).toEqual(store.rows('texts'))
  })

  it('are not taken for another question at the same place', async () => {
    const first = moody()
    const { clock, log } = world(records)
    const store = new MemoryCheckpointStore()
    await run(clock, { pipeline: tiers({ get: first.get, record: true, cache }), source: log, store })
    const second = moody()
    const fresh = new MemoryCheckpointStore()
    await run(clock, {
      pipeline: tiers({ get: second.get, by: ({ customer }) => `${customer}!`, record: true, cache }),
      ...{ source: log, store: withAnswersOf(store, fresh) },
    })
    expect(second.calls()).toBeGreaterThan(8)
  })

  it('come with the checkpoint that the values are in, each with its place and its key', async () => {
    const { get } = service()
    const run = new ChainTask<Order>((all) => timed(all).pipe(tier({ get, record: true, cache })))
    run.push({ customer: 'a', at: 5 }, { customer: 'a', at: 6 })
    await run.task.settle()
    run.push({ customer: 'a', at: 7 })
    await run.task.settle()
    // The second has waited for the call of the first; the third has found the answer.
    expect(run.cut().answers).toEqual([
      { operator: 'tier', input: 0, offset: 0, ordinal: 0, key: 'a', at: 5, answer: '"a#1"', isFailure: false },
      { operator: 'tier', input: 0, offset: 1, ordinal: 0, key: 'a', at: 5, answer: '"a#1"', isFailure: false },
    ])
    expect(run.cut().answers).toEqual([])
  })

  it('keep what is in the cache over a restart, and let go of it where record is taken away', async () => {
    const { asked, get } = service()
    const { clock, log } = world(['a', 'b'].map((customer, ms) => ({ customer, ms })))
    const store = new MemoryCheckpointStore()
    const options = { get, cache: { maxEntries: 9 } }
    const start = (record: boolean) => run(clock, { pipeline: tiers({ ...options, record }), source: log, store })
    const add = (customer: string) => log.add({ value: JSON.stringify({ customer, at: 9 }), timestamp: 9 })
    await start(true)
    add('a')
    await start(true)
    expect(asked).toEqual(['a', 'b'])
    add('b')
    await start(false)
    expect(asked).toEqual(['a', 'b', 'b'])
    add('a')
    await start(true)
    expect(asked).toEqual(['a', 'b', 'b', 'a'])
  })
})

describe('a lookup in the test kit', () => {
  it('is interrupted and restored like any operator, and waits for no rate', async () => {
    const calls: string[] = []
    const get = async (key: string) => {
      calls.push(key)
      return key.toUpperCase()
    }
    const pipeline = tiers({ get, perSecond: 1, record: true, cache: { maxEntries: 5, ttlMs: 100 } })
    const run = testPipeline(pipeline, { crashAt: [2] })
    for (const [i, customer] of ['a', 'b', 'a', 'c'].entries()) {
      run.push({ value: JSON.stringify({ customer, at: i }), timestamp: i * 60 })
      await run.settle()
    }
    expect(run.rows('texts')).toEqual(['a=A', 'b=B', 'a=A', 'c=C'].map((text) => ({ text })))
    run.finish()
    expect(calls.length).toBeGreaterThan(4)
  })
})

interface Logged {
  readonly customer: string
  readonly ms: number
}

function json<T>(): Codec<T> {
  return { decode: (record) => JSON.parse(record.valueText() ?? 'null') as T }
}

const texts = {
  mode: 'append',
  name: 'texts',
  columns: [{ name: 'text', type: 'text', of: (row: { readonly text: string }) => row.text }],
} as const

function tiers(options: Partial<Tier> & Pick<Tier, 'get'>, name = 'tiers') {
  return definePipeline({
    name,
    build: (records) => ({
      texts: toPostgres(
        records.pipe(
          decode(json<Order>()),
          tier(options),
          map((text) => ({ text })),
        ),
        texts,
      ),
    }),
  })
}

function world(records: readonly Logged[], partitions = 1) {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'left', partitions, clock })
  for (const { customer, ms } of records) log.add({ value: JSON.stringify({ customer, at: ms }), timestamp: ms })
  return { clock, log }
}

async function worked(
  { records }: { readonly records: readonly Logged[] },
  options: Partial<Tier> & Pick<Tier, 'get'>,
) {
  const { clock, log } = world(records)
  // One record a checkpoint, so that none waits for the call of another.
  await run(clock, { pipeline: tiers(options), source: log, limits: { maxUncommittedRecords: 1 } })
}

async function run(clock: VirtualClock, options: Partial<WorkerOptions> & Pick<WorkerOptions, 'pipeline' | 'source'>) {
  const worker = new Worker({ store: new MemoryCheckpointStore(), archive: null, clock, ...options })
  const running = worker.run()
  worker.stop('drain')
  await clock.run(running)
}

function withAnswersOf(recorded: MemoryCheckpointStore, store: MemoryCheckpointStore): MemoryCheckpointStore {
  return Object.assign(Object.create(store) as MemoryCheckpointStore, {
    claim: store.claim.bind(store),
    commit: store.commit.bind(store),
    recordedSteps: recorded.recordedSteps.bind(recorded),
    mergeNotes: recorded.mergeNotes.bind(recorded),
    answers: recorded.answers.bind(recorded),
    close: store.close.bind(store),
  })
}
