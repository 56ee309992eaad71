import { definePipeline, enrich, jsonCodec, type StreamTable, type Table, toPostgres, topic, toTable } from 'millrace'
import { testPipeline } from 'millrace/testing'
import { map, type Observable } from 'rxjs'
import { describe, expect, test } from 'tstyche'
import { z } from 'zod'

interface Order {
  readonly id: string
  readonly customer: string
}
interface Customer {
  readonly id: string
  readonly tier: string
  readonly isGone: boolean
}

declare const orders: Observable<Order>
declare const customers: Observable<Customer>

const options = { name: 'known', by: ({ id }: Customer) => id, maxKeys: 10 }

describe('a table and the streams that it is joined to', () => {
  test('infer the row from `value`, without its null', () => {
    const known = toTable(customers, {
      name: 'known',
      by: ({ id }) => id,
      value: (one) => (one.isGone ? null : { tier: one.tier }),
      maxKeys: 10,
    })
    expect(known).type.toBe<StreamTable<{ tier: string }>>()
  })

  test('infer value, row and result through pipe(), null being no result', () => {
    const known = toTable(customers, { ...options, value: ({ tier }) => tier })
    const enriched = orders.pipe(
      map((order) => order),
      enrich(known, {
        by: (order) => order.customer,
        with: (order, tier) => (tier === undefined ? null : { ...order, tier }),
      }),
    )
    expect(enriched).type.toBe<Observable<{ tier: string; id: string; customer: string }>>()
  })

  test('a row may be missing, and says so', () => {
    const known = toTable(customers, { ...options, value: ({ tier }) => tier })
    // @ts-expect-error 'tier' is possibly 'undefined'
    orders.pipe(enrich(known, { by: ({ customer }) => customer, with: (order, tier) => order.id + tier.length }))
  })

  test('a table without a bound does not compile', () => {
    // @ts-expect-error Property 'maxKeys' is missing
    toTable(customers, { name: 'known', by: ({ id }) => id, value: ({ tier }) => tier })
  })

  test('a table is an end, not a step', () => {
    const known = toTable(customers, { ...options, value: ({ tier }) => tier })
    // @ts-expect-error is not assignable
    orders.pipe(known)
    // @ts-expect-error 'pipe' does not exist
    known.pipe()
  })

  test('a key that is not text', () => {
    const known = toTable(customers, { ...options, value: ({ tier }) => tier })
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    orders.pipe(enrich(known, { by: ({ id }) => id.length, with: (order) => order }))
  })
})

describe('the test kit for several inputs', () => {
  const OrderSchema = z.object({ id: z.string(), customer: z.string() })
  const table: Table<Order> = { name: 'orders', mode: 'append', columns: [] }
  const pipeline = definePipeline({
    name: 'mine',
    inputs: {
      orders: topic('orders', { value: jsonCodec(OrderSchema) }),
      more: { topic: topic('more', { value: jsonCodec(OrderSchema) }), idleAfterMs: '1m' },
      counts: { topic: 'counts', codec: jsonCodec(z.number()) },
      bytes: { topic: 'bytes' },
    },
    build: (streams) => {
      return { orders: toPostgres<Order>(streams.orders, table) }
    },
  })
  const run = testPipeline(pipeline)

  test('takes values of the type of the input', () => {
    run.pushValues('orders', { id: '1', customer: 'ada' })
    run.pushValues('counts', 1, 2)
    run.pushValues('bytes', { any: 'thing' }, 'text')
    run.push('orders', { value: 'anything', key: 'k' })
    // @ts-expect-error Property 'customer' is missing
    run.pushValues('orders', { id: '1' })
    // @ts-expect-error Property 'customer' is missing
    run.pushValues('more', { id: '1' })
    // @ts-expect-error 'string' is not assignable to parameter of type 'number'
    run.pushValues('counts', 'one')
  })

  test('knows the inputs by name', () => {
    // @ts-expect-error '"order"' is not assignable
    run.pushValues('order', { id: '1', customer: 'ada' })
    // @ts-expect-error '"order"' is not assignable
    run.push('order', { value: 1 })
    // @ts-expect-error not assignable to parameter of type
    run.push({ value: 1 })
  })

  test('a pipeline of one nameless topic takes records alone', () => {
    const one = testPipeline(definePipeline({ name: 'one', build: () => ({ orders: toPostgres(orders, table) }) }))
    one.push({ value: 1 })
    one.pushValues(1, 'two')
    expect(one.rows('orders')).type.toBe<Order[]>()
    // @ts-expect-error not assignable to parameter of type 'TestRecord'
    one.push('orders', { value: 1 })
  })
})
