// The upper half of a hop to another key. Orders come by shop, and a customer buys in many shops, so no task sees all that a customer
// spends. This pipeline sends each order on under its customer; spentPerDay.ts reads them there.
// `npx millrace run examples/byCustomer.ts` runs it, beside the other one, in any order.
import { definePipeline, eventTime, jsonCodec, textCodec, topic, toTopic } from 'millrace'
import { z } from 'zod'

const order = z.object({ id: z.string(), shop: z.string(), customer: z.string(), at: z.int(), cents: z.int() })

// Its key is the shop.
export const shopOrders = topic('orders.shop', { value: jsonCodec(order), key: textCodec() })
// The same orders, and markers that say how far each task here is.
export const customerOrders = topic('orders.customer', { value: jsonCodec(order), key: textCodec() })

export const byCustomer = definePipeline({
  name: 'by_customer',
  inputs: { orders: shopOrders },
  build: ({ orders }) => ({
    out: toTopic(orders.pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '1h' })), {
      topic: customerOrders,
      by: ({ customer }) => customer,
      at: ({ at }) => at,
      markers: true,
    }),
  }),
})
