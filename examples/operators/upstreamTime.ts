import {
  aggregateWindow,
  definePipeline,
  jsonCodec,
  table,
  toPostgres,
  topic,
  tumblingWindow,
  upstreamTime,
} from 'millrace'
import { testMarker, testPipeline } from 'millrace/testing'
import { z } from 'zod'

const orders = topic('orders.customer', { value: jsonCodec(z.object({ customer: z.string(), at: z.int() })) })

const perMinute = definePipeline({
  name: 'per_minute',
  inputs: { orders },
  build: ({ orders }) => ({
    orders_1m: toPostgres(
      orders.pipe(
        upstreamTime({ of: ({ at }) => at }),
        tumblingWindow({ name: '1m', sizeMs: '1m', by: ({ customer }) => customer }),
        aggregateWindow({
          initial: () => 0,
          add: (count) => count + 1,
          result: (count, { key }) => ({ customer: key, count }),
        }),
      ),
      table('orders_1m', { columns: { customer: 'text', count: 'integer' } }),
    ),
  }),
})

const run = testPipeline(perMinute)
run.pushValues('orders', { customer: 'ada', at: 1_000 }, { customer: 'ada', at: 500 })
run.push('orders', testMarker({ tasks: 2, task: 0, watermark: 90_000 }))
console.log(run.rows('orders_1m'))
run.push('orders', testMarker({ tasks: 2, task: 1, watermark: 60_000 }))
console.log(run.rows('orders_1m'))
run.finish()

// []
// [ { customer: 'ada', count: 2 } ]
