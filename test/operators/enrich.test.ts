import fc from 'fast-check'
import { defer, map, type Observable, of, Subject, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { orNull } from '../../src/codecs/orNull.ts'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import { wholeRecord } from '../../src/codecs/wholeRecord.ts'
import { graphText } from '../../src/console/graphText.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../src/operators/batchFlush.ts'
import { type EnrichOptions, enrich } from '../../src/operators/enrich.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { mapAsync } from '../../src/operators/mapAsync.ts'
import type { StreamTable } from '../../src/operators/streamTable.ts'
import { type ToTableOptions, toTable } from '../../src/operators/toTable.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { ConfigurationError, OperatorError, StateMismatchError } from '../../src/runtime/errors.ts'
import type { Rejected } from '../../src/runtime/letters/deadLetters.ts'
import { redriveHeader } from '../../src/runtime/log/record.ts'
import { stateful } from '../../src/runtime/operator/stateful.ts'
import type { InputStreams } from '../../src/runtime/pipeline/input.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import type { SavedCheckpoint } from '../../src/runtime/store/checkpoint.ts'
import type { AppendTable } from '../../src/runtime/store/table.ts'
import { graphOf } from '../../src/runtime/task/graph.ts'
import { StreamTask } from '../../src/runtime/task/streamTask.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import { viewOf } from '../../src/testing/kit/testRecord.ts'

const Order = z.object({ id: z.string(), of: z.string(), at: z.number() })
const Customer = z.object({ id: z.string(), tier: z.string().nullable() })
type Order = z.infer<typeof Order>
type Customer = z.infer<typeof Customer>

const inputs = {
  orders: topic('orders', { value: jsonCodec(Order) }),
  customers: { topic: topic('customers', { value: jsonCodec(Customer) }), movesTime: false },
}

const lines: AppendTable<string> = {
  mode: 'append',
  name: 'lines',
  columns: [{ name: 'line', type: 'text', of: (line) => line }],
}

const tiers: ToTableOptions<Customer, { readonly tier: string }> = {
  name: 'tiers',
  by: ({ id }) => id,
  value: ({ tier }) => (tier === null ? null : { tier }),
  maxKeys: 100,
}
const line = (order: Order, row: { readonly tier: string } | undefined) => `${order.id} ${row?.tier ?? 'none'}`
const named: EnrichOptions<Order, { readonly tier: string }, string> = { by: (order) => order.of, with: line }

/** A pipeline whose `lines` are what `build` makes of both streams. */
const pipelineOf = (build: (streams: InputStreams<typeof inputs>) => Observable<string>) =>
  definePipeline({ name: 'joined', inputs, build: (streams) => ({ lines: toPostgres(build(streams), lines) }) })

/** Orders with their tiers, the table as in `tiers` but for what is told. */
const enriched = (options: Partial<ToTableOptions<Customer, { readonly tier: string }>> = {}) =>
  pipelineOf(({ orders, customers }) => orders.pipe(enrich(toTable(customers, { ...tiers, ...options }), named)))

const order = (id: string, whose = 'ada', at = 0): Order => ({ id, of: whose, at })
const customer = (tier: string | null, id = 'ada'): Customer => ({ id, tier })

describe('enrich', () => {
  it('finds the row as it stands when the value comes; a later change corrects nothing', () => {
    const run = testPipeline(enriched())
    run.pushValues('orders', order('1'))
    run.pushValues('customers', customer('gold'), customer('tin', 'bob'))
    run.pushValues('orders', order('2'), order('3', 'bob'))
    run.pushValues('customers', customer('lead'))
    run.pushValues('orders', order('4'))
    run.pushValues('customers', customer(null))
    run.pushValues('orders', order('5'))
    expect(run.rows('lines')).toEqual(['1 none', '2 gold', '3 tin', '4 lead', '5 none'])
    run.finish()
  })

  it('drops what `with` gives null for', () => {
    const inner = { by: named.by, with: (one: Order, row?: { tier: string }) => (row === undefined ? null : one.id) }
    const run = testPipeline(
      pipelineOf(({ orders, customers }) => orders.pipe(enrich(toTable(customers, tiers), inner))),
    )
    run.pushValues('orders', order('1'))
    run.pushValues('customers', customer('gold'))
    run.pushValues('orders', order('2'))
    expect(run.rows('lines')).toEqual(['2'])
    run.finish()
  })

  // Inputs and answers of Kafka's StreamTableJoinIntegrationTest, in the order of arrival; a value of null is no input to its left side.
  const kafka = 'R- LA Ra LB Rb R- LC Rc R- R- Rd LD R- Re LE R- LF Rf' // L: an order, R: a change, R-: a tombstone.

  it('gives what a stream-table join of Kafka gives', () => {
    const run = testPipeline(enriched())
    for (const [side, value] of kafka.split(' ').map((one) => [one[0], one.slice(1)] as const)) {
      if (side === 'R') run.pushValues('customers', customer(value === '-' ? null : value))
      else run.pushValues('orders', order(value))
    }
    expect(run.rows('lines')).toEqual(['A none', 'B a', 'C none', 'D d', 'E e', 'F none'])
    run.finish()
  })

  it('leaves each value its event time, for a window below, whatever time the changes have', () => {
    const counted = pipelineOf(({ orders, customers }) =>
      orders.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
        enrich(toTable(customers, tiers), named),
        tumblingWindow({ name: 'w', sizeMs: 10, by: () => 'all' }),
        aggregateWindow({
          initial: () => '',
          add: (sum, one: string) => `${sum}[${one}]`,
          result: (sum, { start }) => `${start} ${sum}`,
        }),
      ),
    )
    const run = testPipeline(counted)
    run.pushValues('orders', order('1', 'ada', 3))
    run.pushValues('customers', customer('gold'))
    run.pushValues('orders', order('2', 'ada', 9), order('3', 'ada', 12))
    expect(run.rows('lines')).toEqual(['0 [1 none][2 gold]'])
    run.advanceTo(19)
    expect(run.rows('lines')).toEqual(['0 [1 none][2 gold]', '10 [3 gold]'])
    run.finish()
  })

  it('sets a value aside on which a callback throws, or whose key is no text, and goes on', () => {
    const whimsical = pipelineOf(({ orders, customers }) =>
      orders.pipe(
        enrich(toTable(customers, tiers), {
          by: ({ of: whose }) => (whose === 'nobody' ? (undefined as unknown as string) : whose),
          with: (one, row) => {
            if (row?.tier === 'broken') throw new RangeError('no such tier')
            return line(one, row)
          },
        }),
      ),
    )
    const run = testPipeline(whimsical)
    run.pushValues('orders', order('1', 'nobody'))
    run.pushValues('customers', customer('broken'))
    run.pushValues('orders', order('2'), order('3', 'bob'))
    expect(run.rows('lines')).toEqual(['3 none'])
    expect(run.deadLetters().map(({ operator, reason, detail }) => [operator, reason, detail])).toEqual([
      ['enrich tiers', 'failed', 'TypeError: by must give a text, got undefined'],
      ['enrich tiers', 'failed', 'RangeError: no such tier'],
    ])
    run.finish()
  })

  it('reads a table that others read too, each under a name of its own', () => {
    const twice = pipelineOf(({ orders, customers }) => {
      const known = toTable(customers, tiers)
      return orders.pipe(
        enrich(known, { by: named.by, with: (one, row) => ({ ...one, id: line(one, row) }) }),
        enrich(known, { ...named, name: 'again', by: () => 'bob' }),
      )
    })
    const run = testPipeline(twice)
    run.pushValues('customers', customer('gold'), customer('tin', 'bob'))
    run.pushValues('orders', order('1'))
    expect(run.rows('lines')).toEqual(['1 gold tin'])
    run.finish()
    const nameless = pipelineOf(({ orders, customers }) => {
      const known = toTable(customers, tiers)
      return orders.pipe(enrich(known, { by: named.by, with: (one) => one }), enrich(known, named))
    })
    expect(() => testPipeline(nameless)).toThrow(/two operators of one pipeline are called "enrich tiers"/)
  })

  it('knows the change that the very record is, where the stream is a table as well', () => {
    const own = pipelineOf(({ orders }) =>
      orders.pipe(
        enrich(
          toTable(orders, { name: 'last', by: (one) => one.of, value: ({ id }) => ({ tier: id }), maxKeys: 9 }),
          named,
        ),
      ),
    )
    const run = testPipeline(own)
    run.pushValues('orders', order('1'), order('2'))
    expect(run.rows('lines')).toEqual(['1 1', '2 2'])
    run.finish()
  })
})

describe('toTable', () => {
  it('ends the task before a change that would be one key too many, and drops nothing to make room', () => {
    const run = testPipeline(enriched({ maxKeys: 2 }))
    run.pushValues('customers', customer('a', '1'), customer('b', '2'), customer('c', '2'), customer(null, '1'))
    run.pushValues('customers', customer('d', '3'))
    const full = 'tiers: the table holds 2 keys, as many as maxKeys allows, and another one has come. Raise maxKeys'
    expect(() => run.pushValues('customers', customer('e', '4'))).toThrow(full)
  })

  it('sets aside a change on which a callback throws, that has no key, or that gives no row and no null', () => {
    const run = testPipeline(
      enriched({
        by: ({ id }) => (id === 'none' ? (7 as unknown as string) : id),
        value: ({ tier }) => {
          if (tier === 'bad') throw new RangeError('bad tier')
          return tier === null ? (undefined as unknown as null) : { tier }
        },
      }),
    )
    run.pushValues('customers', customer('gold'), customer('bad'), customer('tin', 'none'), customer(null))
    run.pushValues('orders', order('1'))
    expect(run.rows('lines')).toEqual(['1 gold'])
    expect(run.deadLetters().map(({ operator, detail }) => [operator, detail])).toEqual([
      ['tiers', 'RangeError: bad tier'],
      ['tiers', 'TypeError: by must give a text, got 7'],
      ['tiers', 'TypeError: value must give a row, or null to take it away, got undefined'],
    ])
    run.finish()
  })

  it('takes a tombstone of a compacted topic for a row that goes', () => {
    const compacted = definePipeline({
      name: 'compacted',
      inputs: {
        orders: inputs.orders,
        names: { topic: 'names', codec: wholeRecord(orNull(textCodec()), textCodec()), movesTime: false },
      },
      build: ({ orders, names }) => {
        const known = toTable(names, { name: 'known', by: ({ key }) => key, value: ({ value }) => value, maxKeys: 9 })
        const join = enrich(known, { by: (one: Order) => one.of, with: (one, name) => `${one.id} ${name ?? '-'}` })
        return { lines: toPostgres(orders.pipe(join), lines) }
      },
    })
    const run = testPipeline(compacted)
    run.push('names', { key: 'ada', value: 'Ada' })
    run.pushValues('orders', order('1'))
    run.push('names', { key: 'ada', value: null })
    run.pushValues('orders', order('2'))
    expect(run.rows('lines')).toEqual(['1 Ada', '2 -'])
    run.finish()
  })

  it('refuses bounds and versions that are none', () => {
    for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => toTable(of(customer('a')), { ...tiers, maxKeys: bad })).toThrow(ConfigurationError)
      expect(() => toTable(of(customer('a')), { ...tiers, version: bad })).toThrow(/version must be a positive integer/)
    }
    expect(() => toTable(of(customer('a')), { ...tiers, name: '' })).toThrow(ConfigurationError)
  })
})

describe('the state of a table', () => {
  /** The checkpoint after these customers. */
  function savedWith(pipeline: ReturnType<typeof enriched>, ...customers: readonly Customer[]): SavedCheckpoint {
    const task = new StreamTask(pipeline, null, [0, 0])
    for (const [offset, value] of customers.entries()) task.push(viewOf({ value }, offset), 1)
    const { nextOffset, otherOffsets, watermark, state } = task.cut({ now: 0, isFinal: false })
    const others = otherOffsets.map((next) => ({ nextOffset: next, archiveNextOffset: null }))
    return { nextOffset, watermark, archiveNextOffset: null, others, state: [state] }
  }

  function lineAfter(pipeline: ReturnType<typeof enriched>, saved: SavedCheckpoint): unknown {
    const task = new StreamTask(pipeline, saved, [0, 0])
    task.push(viewOf({ value: order('1') }, 0), 0)
    return task.cut({ now: 0, isFinal: false }).writes[0]?.rows[0]
  }

  it('is found again by its name, and a checkpoint holds what changed', () => {
    const saved = savedWith(enriched(), customer('gold'), customer('tin', 'bob'))
    expect(lineAfter(enriched(), saved)).toBe('1 gold')
    const task = new StreamTask(enriched(), saved, [0, 0])
    task.push(viewOf({ value: customer('lead', 'bob') }, 2), 1)
    const { state } = task.cut({ now: 0, isFinal: false })
    expect(state.kind).toBe('delta')
    expect(state.body).toContain('lead')
    expect(state.body).not.toContain('gold')
    expect(() => new StreamTask(enriched({ name: 'others' }), saved, [0, 0])).toThrow(StateMismatchError)
  })

  it('keeps the rows that it has where maxKeys has become smaller', () => {
    const saved = savedWith(enriched(), customer('gold'), customer('tin', 'bob'))
    expect(lineAfter(enriched({ maxKeys: 1 }), saved)).toBe('1 gold')
  })

  it('of another version is refused, or migrated row by row', () => {
    const saved = savedWith(enriched(), customer('gold'))
    expect(() => new StreamTask(enriched({ version: 2 }), saved, [0, 0])).toThrow(StateMismatchError)
    const migrate: ToTableOptions<never, never>['migrate'] = (row, version) => ({
      tier: `${(row as { tier: string }).tier} of version ${version}`,
    })
    expect(lineAfter(enriched({ version: 2, migrate }), saved)).toBe('1 gold of version 1')
    const newer = savedWith(enriched({ version: 2 }), customer('gold'))
    expect(() => new StreamTask(enriched({ migrate }), newer, [0, 0])).toThrow(StateMismatchError)
  })

  it('may be of any kind that its codec can save', () => {
    const since = pipelineOf(({ orders, customers }) => {
      const known = toTable(customers, {
        name: 'since',
        by: ({ id }) => id,
        value: ({ tier }) => new Date(Number(tier)),
        maxKeys: 9,
        state: { encode: (date) => date.getTime(), decode: (saved) => new Date(saved as number) },
      })
      return orders.pipe(
        enrich(known, { by: (one) => one.of, with: (one, date) => `${one.id} ${date?.toISOString()}` }),
      )
    })
    const run = testPipeline(since)
    run.pushValues('customers', customer('86400000'))
    run.pushValues('orders', order('1'))
    expect(run.rows('lines')).toEqual(['1 1970-01-02T00:00:00.000Z'])
    run.finish()
  })
})

describe('a table and what reads it', () => {
  it('are operators in the graph, where only the stream moves time', () => {
    const timed = pipelineOf(({ orders, customers }) =>
      orders.pipe(
        enrich(toTable(customers, tiers), { by: named.by, with: (one) => one }),
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
        map(({ id }) => id),
      ),
    )
    const graph = graphOf(timed)
    expect(graph.edges.map(({ from, to, plainSteps }) => [from, to, plainSteps])).toEqual([
      ['input:customers', 'operator:decode customers', 0],
      ['operator:decode customers', 'operator:tiers', 0],
      ['operator:tiers', 'operator:enrich tiers', 0],
      ['input:orders', 'operator:decode orders', 0],
      ['operator:decode orders', 'operator:enrich tiers', 0],
      ['operator:enrich tiers', 'operator:eventTime', 0],
      ['operator:eventTime', 'outlet:lines', 1],
    ])
    expect(graph.nodes.find(({ isTable }) => isTable === true)?.name).toBe('tiers')
    expect(graphText(graph).slice(2, 4)).toEqual([
      'orders (topic orders) → decode orders → enrich tiers → eventTime → (+1) → ▣ lines',
      'customers (topic customers, a table) → decode customers → ▤ tiers → enrich tiers ↑',
    ])
    const { idleClocks } = new StreamTask(timed, null, [0, 0])
    expect(idleClocks).toEqual([{ name: undefined, inputs: [0] }])
  })

  const asynchronous = mapAsync(async (one: Order) => one, { concurrency: 8 })

  it('refuse values that are let go at checkpoints on one side only, whichever comes first', async () => {
    const above = pipelineOf(({ orders, customers }) =>
      orders.pipe(asynchronous, enrich(toTable(customers, tiers), named)),
    )
    const changesFirst = testPipeline(above)
    changesFirst.pushValues('customers', customer('gold'))
    changesFirst.pushValues('orders', order('1'))
    await expect(changesFirst.settle()).rejects.toThrow(/enrich tiers: mapAsync lets values go .* Put mapAsync below/)

    const task = new StreamTask(above, null, [0, 0])
    task.push(viewOf({ value: order('1') }, 0), 0)
    await task.settle()
    expect(() => task.push(viewOf({ value: customer('gold') }, 0), 1)).toThrow(/tiers: mapAsync lets values go/)

    const batched = pipelineOf(({ orders, customers }) => {
      const changes = customers.pipe(
        batchFlush({ maxCount: 1 }),
        map((batch) => batch[0] as Customer),
      )
      return orders.pipe(enrich(toTable(changes, tiers), named))
    })
    const one = new StreamTask(batched, null, [0, 0])
    one.push(viewOf({ value: order('1') }, 0), 0)
    expect(() => one.push(viewOf({ value: customer('gold') }, 0), 1)).toThrow(OperatorError)
  })

  it('take them below, and where both sides come through one and the same operator', async () => {
    const below = pipelineOf(({ orders, customers }) =>
      orders.pipe(
        enrich(toTable(customers, tiers), named),
        mapAsync(async (one) => one, { concurrency: 8 }),
      ),
    )
    const run = testPipeline(below)
    run.pushValues('customers', customer('gold'))
    run.pushValues('orders', order('1'))
    await run.settle()
    expect(run.rows('lines')).toEqual(['1 gold'])
    run.finish()

    const beside = pipelineOf(({ orders }) => {
      const slow = orders.pipe(asynchronous, share())
      const last = toTable(slow, { name: 'last', by: (one) => one.of, value: ({ id }) => ({ tier: id }), maxKeys: 9 })
      return slow.pipe(enrich(last, named))
    })
    const same = testPipeline(beside)
    same.pushValues('orders', order('1'), order('2'))
    await same.settle()
    expect(same.rows('lines')).toEqual(['1 1', '2 2'])
    same.finish()
  })
})

describe('a record that was set aside and is redriven', () => {
  /** Sets aside what is bad. */
  const picky = stateful<string, string>({ name: 'picky' }, (_restored, out) => ({
    onValue: (one) => (one.startsWith('bad') ? out.reject(one, 'picked') : out.emit(one)),
  }))
  const again = (operator: string) => [{ key: redriveHeader, value: Buffer.from(operator) }]

  it('is a change where it comes again, and replaces what its key has got since', () => {
    const run = testPipeline(enriched())
    run.push('customers', { value: { id: 'ada', tier: 7 } })
    run.pushValues('customers', customer('newer'))
    run.push('customers', { value: customer('redriven'), headers: again('decode customers') })
    run.pushValues('orders', order('1'))
    expect(run.rows('lines')).toEqual(['1 redriven'])
    expect(run.deadLetters()).toHaveLength(1)
    run.finish()
  })

  it('passes enrich on its way below, with the row of then, and is no change a second time on the way', () => {
    const counted = pipelineOf(({ orders }) => {
      const table = toTable(orders, {
        name: 'seen',
        by: (one) => one.of,
        value: ({ id }) => ({ tier: id }),
        maxKeys: 9,
      })
      return orders.pipe(enrich(table, named), picky)
    })
    const run = testPipeline(counted)
    run.pushValues('orders', order('bad'), order('2'))
    run.push('orders', { value: order('bad'), headers: again('picky') })
    expect(run.rows('lines')).toEqual(['2 2'])
    expect(run.deadLetters().map(({ offset, operator, reason }) => [offset, operator, reason])).toEqual([
      [0, 'picky', 'bad bad'],
      [2, 'picky', 'bad 2'],
    ])
    run.finish()
  })
})

describe('outside of a task', () => {
  function joined(options: { onReject?: (rejected: Rejected) => void } = {}) {
    const orders = new Subject<Order>()
    const customers = new Subject<Customer>()
    const known = toTable(customers, { ...tiers, maxKeys: 1, ...options })
    return { orders, customers, known }
  }

  function read(orders: Observable<Order>, known: StreamTable<{ readonly tier: string }>) {
    const events: string[] = []
    const subscription = orders.pipe(enrich(known, named)).subscribe({
      next: (one) => events.push(one),
      error: (error: Error) => events.push(`error ${error.message}`),
      complete: () => events.push('complete'),
    })
    return { events, subscription }
  }

  it('the table is there before the first value, and stays when its changes end', () => {
    const { events } = read(of(order('1')), toTable(of(customer('gold')), tiers))
    expect(events).toEqual(['1 gold', 'complete'])
  })

  it('a reader that comes after the end of the changes finds the same table, and takes it from nobody', () => {
    const { orders, customers, known } = joined()
    const first = read(orders, known)
    customers.next(customer('gold'))
    customers.complete()
    const second = read(orders, known)
    orders.next(order('1'))
    expect([first.events, second.events]).toEqual([['1 gold'], ['1 gold']])
  })

  it('two readers share a table; when the last one leaves it is empty again, and nobody is subscribed', () => {
    const { orders, customers, known } = joined()
    const first = read(orders, known)
    customers.next(customer('gold'))
    const second = read(orders, known)
    orders.next(order('1'))
    first.subscription.unsubscribe()
    orders.next(order('2'))
    second.subscription.unsubscribe()
    expect([first.events, second.events]).toEqual([['1 gold'], ['1 gold', '2 gold']])
    expect([customers.observed, orders.observed]).toEqual([false, false])
    const third = read(orders, known)
    orders.next(order('3'))
    expect(third.events).toEqual(['3 none'])
  })

  it('when the last reader of a table whose changes have ended leaves, it is empty as well, and the next one begins anew', () => {
    let now = 'gold'
    const known = toTable(
      defer(() => of(customer(now))),
      tiers,
    )
    expect(read(of(order('1')), known).events).toEqual(['1 gold', 'complete'])
    expect(known.get(customer('gold').id)).toBeUndefined()
    now = 'silver'
    expect(read(of(order('2')), known).events).toEqual(['2 silver', 'complete'])
  })

  it('an error of the changes ends the readers, an end of the values lets go of the table', () => {
    const { orders, customers, known } = joined()
    const failing = read(orders, known)
    customers.error(new Error('gone'))
    expect(failing.events).toEqual(['error gone'])
    expect(orders.observed).toBe(false)

    const other = joined()
    const ending = read(other.orders, other.known)
    other.orders.complete()
    expect(ending.events).toEqual(['complete'])
    expect(other.customers.observed).toBe(false)
  })

  it('a change that finds no room ends the readers with an error that says what to do', () => {
    const { orders, customers, known } = joined()
    const { events } = read(orders, known)
    customers.next(customer('gold'))
    customers.next(customer('tin', 'bob'))
    expect(events).toEqual([expect.stringContaining('Raise maxKeys')])
  })
})

/** Orders with their tiers, listed by windows of 10 ms. */
function listed(orders: Observable<Order>, customers: Observable<Customer>): Observable<string> {
  return orders.pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 5, onReject: () => {} }),
    enrich(toTable(customers, tiers), named),
    tumblingWindow({ name: 'w', sizeMs: 10, by: () => 'all', onReject: () => {} }),
    aggregateWindow({
      initial: () => '',
      add: (list, one: string) => `${list}[${one}]`,
      result: (list, { start }, { revision }) => `${start}/${revision} ${list}`,
    }),
  )
}

describe('law', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('order' as const), whose: fc.nat(4) }),
    fc.record({ kind: fc.constant('change' as const), whose: fc.nat(4), tier: fc.option(fc.nat(9)) }),
  )

  it('in any interleaving, restored after any number of records and crashed anywhere, each value finds the newest row before it; plain RxJS gives the same', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.uniqueArray(fc.nat(39), { maxLength: 4 }),
        (steps, restoreEvery, crashes) => {
          const crashAt = crashes.filter((at) => at < steps.length)
          const run = testPipeline(enriched(), { restoreEvery, crashAt })
          const orders = new Subject<Order>()
          const customers = new Subject<Customer>()
          const twin: string[] = []
          const known = toTable(customers, tiers)
          orders.pipe(enrich(known, named)).subscribe((one) => twin.push(one))

          const model = new Map<number, number>()
          const expected: string[] = []
          for (const [i, one] of steps.entries()) {
            const { whose } = one
            if (one.kind === 'order') {
              run.pushValues('orders', order(`${i}`, `c${whose}`))
              orders.next(order(`${i}`, `c${whose}`))
              expected.push(`${i} ${model.has(whose) ? `t${model.get(whose)}` : 'none'}`)
              continue
            }
            const change = customer(one.tier === null ? null : `t${one.tier}`, `c${whose}`)
            run.pushValues('customers', change)
            customers.next(change)
            if (one.tier === null) model.delete(whose)
            else model.set(whose, one.tier)
          }
          expect(run.rows('lines')).toEqual(expected)
          expect(twin).toEqual(expected)
          run.finish()
        },
      ),
      { numRuns: 300 },
    )
  })

  it('windows below are the same in a task, restored and crashed anywhere, and in plain RxJS', () => {
    const timedStep = fc.record({ isOrder: fc.boolean(), whose: fc.nat(2), number: fc.nat(60) })
    fc.assert(
      fc.property(fc.array(timedStep, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (steps, restoreEvery) => {
        const run = testPipeline(
          pipelineOf(({ orders, customers }) => listed(orders, customers)),
          { restoreEvery },
        )
        const orders = new Subject<Order>()
        const customers = new Subject<Customer>()
        const twin: string[] = []
        listed(orders, customers).subscribe((one) => twin.push(one))
        for (const [i, { isOrder, whose, number }] of steps.entries()) {
          if (isOrder) {
            const one = order(`${i}`, `c${whose}`, number)
            run.pushValues('orders', one)
            orders.next(one)
          } else {
            const change = customer(number === 0 ? null : `t${number}`, `c${whose}`)
            run.pushValues('customers', change)
            customers.next(change)
          }
        }
        orders.complete()
        run.closeOpen()
        expect(run.rows('lines')).toEqual(twin)
        run.deadLetters()
        run.finish()
      }),
      { numRuns: 200 },
    )
  })
})
