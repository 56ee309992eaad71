import {
  definePipeline,
  enrich,
  jsonCodec,
  orNull,
  table,
  textCodec,
  toPostgres,
  topic,
  toTable,
  wholeRecord,
} from 'millrace'
import { z } from 'zod'

const order = z.object({ id: z.string(), customer: z.string(), cents: z.int() })
const customer = z.object({ country: z.string() })
const customers = topic('customers', { value: orNull(jsonCodec(customer)), key: textCodec() })

const located = table('located_order', {
  columns: { id: 'text', country: 'text', cents: 'integer' },
})

export default definePipeline({
  name: 'locate',
  inputs: {
    orders: topic('orders', { value: jsonCodec(order), key: textCodec() }),
    customers: { topic: customers, codec: wholeRecord(customers.value, textCodec()), movesTime: false },
  },
  build: (inputs) => {
    const known = toTable(inputs.customers, {
      name: 'customers',
      by: ({ key }) => key,
      value: ({ value }) => value,
      maxKeys: 1_000_000,
    })
    const withCountry = inputs.orders.pipe(
      enrich(known, {
        by: (order) => order.customer,
        with: ({ id, cents }, customer) => ({ id, cents, country: customer?.country ?? 'unknown' }),
      }),
    )
    return { located_order: toPostgres(withCountry, located) }
  },
})
