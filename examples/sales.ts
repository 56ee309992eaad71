// Two topics in, and an outlet of each kind: orders meet what is known of their customers, become rows of what each
// customer has spent in each ten seconds, messages in another topic, a call for large ones, and stay in the archive.
// `npx millrace run examples/sales.ts` runs it, on topics that are made where they are missing.
import {
  aggregateWindow,
  definePipeline,
  enrich,
  eventTime,
  jsonCodec,
  orNull,
  table,
  textCodec,
  toArchive,
  toPostgres,
  topic,
  toTable,
  toTopic,
  toWebhook,
  tumblingWindow,
  wholeRecord,
} from 'millrace'
import { filter, share } from 'rxjs'
import { z } from 'zod'

const order = z.object({ id: z.string(), customer: z.string(), at: z.int(), cents: z.int() })
const customer = z.object({ country: z.string(), isTrusted: z.boolean() })

// Both have the customer as their key, so an order and its customer are in the same partition.
export const orders = topic('orders', { value: jsonCodec(order), key: textCodec() })
export const customers = topic('customers', { value: orNull(jsonCodec(customer)), key: textCodec() })
export const soldOrders = topic('orders.sold', {
  value: jsonCodec(order.extend({ country: z.string(), isTrusted: z.boolean() })),
  key: textCodec(),
})

const spentTable = table('spent_10s', {
  columns: { customer: 'text', start: 'timestamptz', orders: 'integer', cents: 'integer', revision: 'integer' },
  key: ['customer', 'start'],
  revision: 'revision',
})

export const sales = definePipeline({
  name: 'sales',
  inputs: {
    orders: { topic: orders, idleAfterMs: '2s' },
    // A table: its newest record of a customer counts, and a tombstone takes the customer away.
    customers: { topic: customers, codec: wholeRecord(customers.value, textCodec()), movesTime: false },
  },
  build: (inputs) => {
    const known = toTable(inputs.customers, {
      name: 'customers',
      by: ({ key }) => key,
      value: ({ value }) => value,
      maxKeys: 100_000,
    })
    const sold = inputs.orders.pipe(
      eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '2s' }),
      enrich(known, {
        by: (order) => order.customer,
        with: (order, customer) => ({
          ...order,
          country: customer?.country ?? 'unknown',
          isTrusted: customer?.isTrusted ?? false,
        }),
      }),
      share(),
    )
    const spent = sold.pipe(
      tumblingWindow({ name: '10s', sizeMs: '10s', by: (order) => order.customer, allowedLatenessMs: '20s' }),
      aggregateWindow({
        initial: () => ({ orders: 0, cents: 0 }),
        add: (sum, { cents }) => ({ orders: sum.orders + 1, cents: sum.cents + cents }),
        result: (sum, { key, start }, { revision }) => ({ customer: key, start, ...sum, revision }),
      }),
    )
    return {
      spent_10s: toPostgres(spent, spentTable),
      sold: toTopic(sold, { topic: soldOrders, by: (order) => order.customer, at: ({ at }) => at }),
      raw: toArchive(inputs.orders),
      review: toWebhook(sold.pipe(filter(({ cents, isTrusted }) => cents > 50_000 && !isTrusted)), {
        url: process.env.SALES_REVIEW_URL ?? 'http://127.0.0.1:8080/review',
        body: ({ id, customer, cents }) => ({ id, customer, cents }),
      }),
    }
  },
})
