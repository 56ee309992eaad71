import { definePipeline, eventTime, jsonCodec, keyed, table, toPostgres, topic } from 'millrace'
import { z } from 'zod'

const heartbeat = z.object({ device: z.string(), at: z.int() })
const quietFor = 5 * 60_000

const silences = table('silence', {
  columns: { device: 'text', since: 'timestamptz' },
})

export default definePipeline({
  name: 'silence',
  inputs: { heartbeats: { topic: topic('heartbeats', { value: jsonCodec(heartbeat) }), idleAfterMs: '1m' } },
  build: ({ heartbeats }) => ({
    silence: toPostgres(
      heartbeats.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '10s' }),
        keyed({
          name: 'last heard',
          by: ({ device }) => device,
          initial: () => 0,
          onValue: (last, { at }) => {
            const newest = Math.max(last, at)
            return { keep: newest, wakeAt: newest + quietFor }
          },
          onTimer: (since, { key }) => ({ keep: null, emit: [{ device: key, since }] }),
        }),
      ),
      silences,
    ),
  }),
})
