import {
  aggregateWindow,
  definePipeline,
  eventTime,
  jsonCodec,
  sessionWindow,
  table,
  toPostgres,
  topic,
} from 'millrace'
import { z } from 'zod'

const click = z.object({ user: z.string(), page: z.string(), at: z.int() })

const visits = table('visit', {
  columns: { user: 'text', start: 'timestamptz', end: 'timestamptz', pages: 'integer' },
})

export default definePipeline({
  name: 'visits',
  inputs: { clicks: topic('clicks', { value: jsonCodec(click) }) },
  build: ({ clicks }) => ({
    visit: toPostgres(
      clicks.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '1m' }),
        sessionWindow({ name: 'visit', gapMs: '30m', by: ({ user }) => user }),
        aggregateWindow({
          initial: () => 0,
          add: (pages) => pages + 1,
          merge: (earlier, later) => earlier + later,
          result: (pages, { key, start, end }) => ({ user: key, start, end, pages }),
        }),
      ),
      visits,
    ),
  }),
})
