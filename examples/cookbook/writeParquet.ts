import { definePipeline, eventTime, jsonCodec, table, topic } from 'millrace'
import { toLake } from 'millrace/lake'
import { z } from 'zod'

const order = z.object({ id: z.string(), at: z.int(), price: z.string() })

const orders = table('order_line', {
  columns: { id: 'text', at: 'timestamptz', price: 'numeric' },
})

export default definePipeline({
  name: 'orders_to_lake',
  inputs: { orders: topic('orders', { value: jsonCodec(order) }) },
  build: (inputs) => ({
    order_line: toLake(inputs.orders.pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '1m' })), orders, {
      name: 'shop.orders',
      day: 'at',
      decimals: { price: 'decimal(18,2)' },
    }),
  }),
})
