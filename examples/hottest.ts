// A pipeline of one's own: the hottest reading of each sensor in each minute, exactly once into a table.
import {
  aggregateWindow,
  decode,
  definePipeline,
  eventTime,
  jsonCodec,
  toPostgres,
  tumblingWindow,
  type UpsertTable,
} from 'millrace'
import { z } from 'zod'

export const readings = jsonCodec(z.object({ sensor: z.string(), at: z.int(), celsius: z.number() }))

export interface Hottest {
  readonly sensor: string
  readonly minute: number
  readonly celsius: number
  readonly revision: number
}

export const hottestTable: UpsertTable<Hottest> = {
  mode: 'upsert',
  name: 'hottest_1m',
  key: ['sensor', 'minute'],
  revision: 'revision',
  columns: [
    { name: 'sensor', type: 'text', of: (row) => row.sensor },
    { name: 'minute', type: 'timestamptz', of: (row) => row.minute },
    // Exact numbers are text; a float would be refused.
    { name: 'celsius', type: 'numeric', of: (row) => String(row.celsius) },
    { name: 'revision', type: 'integer', of: (row) => row.revision },
  ],
}

export const hottest = definePipeline({
  name: 'hottest',
  build: (records) => ({
    hottest_1m: toPostgres<Hottest>(
      records.pipe(
        decode(readings),
        eventTime({ of: (reading) => reading.at, maxOutOfOrdernessMs: 5_000 }),
        tumblingWindow({ name: '1m', sizeMs: 60_000, by: (reading) => reading.sensor }),
        aggregateWindow({
          initial: () => Number.NEGATIVE_INFINITY,
          add: (highest, reading) => Math.max(highest, reading.celsius),
          result: (celsius, { key, start }, { revision }) => ({ sensor: key, minute: start, celsius, revision }),
        }),
      ),
      hottestTable,
    ),
  }),
})
