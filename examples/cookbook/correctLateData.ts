import {
  aggregateWindow,
  definePipeline,
  eventTime,
  jsonCodec,
  table,
  toPostgres,
  topic,
  tumblingWindow,
} from 'millrace'
import { z } from 'zod'

const sale = z.object({ shop: z.string(), at: z.int(), cents: z.int() })

const takings = table('takings_1h', {
  columns: { shop: 'text', hour: 'timestamptz', cents: 'integer', revision: 'integer' },
  key: ['shop', 'hour'],
  revision: 'revision',
})

export default definePipeline({
  name: 'takings',
  inputs: { sales: topic('sales', { value: jsonCodec(sale) }) },
  build: ({ sales }) => ({
    takings_1h: toPostgres(
      sales.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '10s' }),
        tumblingWindow({ name: '1h', sizeMs: '1h', by: ({ shop }) => shop, allowedLatenessMs: '6h' }),
        aggregateWindow({
          initial: () => 0,
          add: (sum, { cents }) => sum + cents,
          result: (cents, { key, start }, { revision }) => ({ shop: key, hour: start, cents, revision }),
        }),
      ),
      takings,
    ),
  }),
})
