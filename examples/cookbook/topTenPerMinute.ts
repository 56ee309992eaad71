import {
  aggregateWindow,
  definePipeline,
  eventTime,
  jsonCodec,
  table,
  toPostgres,
  topic,
  topN,
  tumblingWindow,
} from 'millrace'
import { z } from 'zod'

const view = z.object({ page: z.string(), at: z.int() })

const top = table('top_pages', {
  columns: { minute: 'timestamptz', rank: 'integer', page: 'text', views: 'integer' },
})

export default definePipeline({
  name: 'top_pages',
  // One task reads all partitions, so the ten are the best of all.
  inputs: { views: { topic: topic('views', { value: jsonCodec(view) }), partitions: 'all' } },
  build: ({ views }) => ({
    top_pages: toPostgres(
      views.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '5s' }),
        tumblingWindow({ name: 'views', sizeMs: '1m', by: ({ page }) => page }),
        aggregateWindow({
          initial: () => 0,
          add: (views) => views + 1,
          result: (views, { key, start }) => ({ page: key, at: start, views }),
        }),
        tumblingWindow({ name: 'ranks', sizeMs: '1m', by: () => 'all', of: ({ at }) => at }),
        topN({
          n: 10,
          of: ({ views }) => views,
          tie: ({ page }) => page,
          result: (best, { start }) => best.map(({ page, views }, i) => ({ minute: start, rank: i + 1, page, views })),
        }),
      ),
      top,
    ),
  }),
})
