import { dedupe, definePipeline, eventTime, jsonCodec, table, toPostgres, topic } from 'millrace'
import { z } from 'zod'

const payment = z.object({ id: z.string(), account: z.string(), at: z.int(), cents: z.int() })

const paid = table('payment', {
  columns: { id: 'text', account: 'text', at: 'timestamptz', cents: 'integer' },
})

export default definePipeline({
  name: 'drop_repeats',
  inputs: { payments: topic('payments', { value: jsonCodec(payment) }) },
  build: ({ payments }) => ({
    payment: toPostgres(
      payments.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '1m' }),
        dedupe({ by: ({ account }) => account, id: ({ id }) => id, ttlMs: '1h' }),
      ),
      paid,
    ),
  }),
})
