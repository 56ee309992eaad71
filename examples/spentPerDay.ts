// The lower half of the hop that begins in byCustomer.ts: what each customer spends in a day. Its time is that of the tasks above,
// which their markers tell, so it needs no bound of its own, and no order is late here that was not late there.
import { aggregateWindow, definePipeline, table, toPostgres, tumblingWindow, upstreamTime } from 'millrace'
import { customerOrders } from './byCustomer.ts'

const spentTable = table('spent_per_day', {
  columns: { customer: 'text', day: 'timestamptz', orders: 'integer', cents: 'bigint', revision: 'integer' },
  key: ['customer', 'day'],
  revision: 'revision',
})

export const spentPerDay = definePipeline({
  name: 'spent_per_day',
  inputs: { orders: customerOrders },
  build: ({ orders }) => ({
    spent_per_day: toPostgres(
      orders.pipe(
        upstreamTime({ of: ({ at }) => at }),
        tumblingWindow({ name: '1d', sizeMs: '1d', by: ({ customer }) => customer }),
        aggregateWindow({
          initial: () => ({ orders: 0, cents: 0 }),
          add: (sum, { cents }) => ({ orders: sum.orders + 1, cents: sum.cents + cents }),
          result: (sum, { key, start }, { revision }) => ({ customer: key, day: start, ...sum, revision }),
        }),
      ),
      spentTable,
    ),
  }),
})
