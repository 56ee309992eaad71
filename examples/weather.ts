// A feed of one's own: readings of a weather station, page by page, exactly once into a topic.
// `npx millrace ingest --feed examples/weather.ts` brings it in; started again, it goes on behind what the topic holds.
import { defineFeed, jsonCodec, RetryableError, topic } from 'millrace'
import { z } from 'zod'

export const readings = topic('readings', {
  value: jsonCodec(z.object({ sensor: z.string(), at: z.int(), celsius: z.number() })),
})

export const weather = defineFeed({
  name: 'weather',
  topic: readings,
  key: (reading) => reading.sensor,
  time: (reading) => reading.at,
  async *read(position, signal) {
    for (let page = Number(position ?? 0); ; page++) {
      const values = await fetchPage(page, signal)
      if (values === null) return
      yield { values, position: String(page + 1) }
    }
  },
})

const noon = Date.UTC(2024, 7, 8, 12)

/** Stands for `fetch` of a service that answers in pages: ten of them, the same at every call. */
async function fetchPage(page: number, signal: AbortSignal) {
  if (signal.aborted) throw new RetryableError('the station was not asked')
  if (page === 10) return null
  return ['roof', 'cellar'].map((sensor, index) => ({
    sensor,
    at: noon + page * 60_000 + index,
    celsius: index === 0 ? 20 + page : 12,
  }))
}
