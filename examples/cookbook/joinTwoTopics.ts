import { definePipeline, eventTime, intervalJoin, jsonCodec, table, toPostgres, topic } from 'millrace'
import { z } from 'zod'

const order = z.object({ id: z.string(), at: z.int(), cents: z.int() })
const payment = z.object({ order: z.string(), at: z.int() })

const settled = table('settled_order', {
  columns: { order: 'text', cents: 'integer', paid_at: 'timestamptz?' },
})

export default definePipeline({
  name: 'settle',
  inputs: {
    orders: { topic: topic('orders', { value: jsonCodec(order) }), idleAfterMs: '30s' },
    payments: { topic: topic('payments', { value: jsonCodec(payment) }), idleAfterMs: '30s' },
  },
  build: ({ orders, payments }) => ({
    settled_order: toPostgres(
      orders.pipe(
        eventTime({ name: 'of orders', of: ({ at }) => at, maxOutOfOrdernessMs: '10s' }),
        intervalJoin(
          payments.pipe(eventTime({ name: 'of payments', of: ({ at }) => at, maxOutOfOrdernessMs: '10s' })),
          {
            name: 'payment of order',
            by: { left: ({ id }) => id, right: ({ order }) => order },
            fromMs: 0,
            toMs: '15m',
            how: 'left',
            with: ({ id, cents }, payment) => ({ order: id, cents, paid_at: payment?.at ?? null }),
          },
        ),
      ),
      settled,
    ),
  }),
})
