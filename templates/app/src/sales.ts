// Orders in, sales of each product in each minute out, every order counted exactly once. `npm start`
import { aggregateWindow, definePipeline, eventTime, table, toPostgres, tumblingWindow } from 'millrace'
import { orders } from './orders.ts'

/** Made in the database where it is missing. The type of its rows follows from the columns. */
export const salesTable = table('sales_1m', {
  columns: { product: 'text', minute: 'timestamptz', orders: 'integer', cents: 'bigint', revision: 'integer' },
  key: ['product', 'minute'],
  revision: 'revision',
})

export default definePipeline({
  name: 'sales',
  inputs: { orders },
  build: ({ orders }) => {
    const sales = orders.pipe(
      // An order may come this much after a newer one and still find its minute open.
      eventTime({ of: (order) => order.at, maxOutOfOrdernessMs: '5s' }),
      // One that is later than that, by up to an hour, corrects its row.
      tumblingWindow({ name: '1m', sizeMs: '1m', by: (order) => order.product, allowedLatenessMs: '1h' }),
      aggregateWindow({
        initial: () => ({ orders: 0, cents: 0 }),
        add: (sum, order) => ({ orders: sum.orders + 1, cents: sum.cents + order.cents }),
        result: (sum, { key, start }, { revision }) => ({ product: key, minute: start, ...sum, revision }),
      }),
    )
    return { sales_1m: toPostgres(sales, salesTable) }
  },
})
