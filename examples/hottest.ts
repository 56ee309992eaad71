// A pipeline of one's own: the hottest reading of each sensor in each minute, exactly once into a table.
import {
  aggregateWindow,
  type Codec,
  decode,
  definePipeline,
  eventTime,
  Rejection,
  toPostgres,
  tumblingWindow,
  type UpsertTable,
} from 'millrace'

interface Reading {
  readonly sensor: string
  readonly at: number
  readonly celsius: number
}

export interface Hottest {
  readonly sensor: string
  readonly minute: number
  readonly celsius: number
  readonly revision: number
}

const readings: Codec<Reading> = {
  decode(record) {
    try {
      const { sensor, at, celsius } = JSON.parse(record.valueText() ?? '')
      // 1e999 is JSON too, and Infinity once it is parsed.
      if (typeof sensor === 'string' && Number.isInteger(at) && Number.isFinite(celsius)) return { sensor, at, celsius }
      return new Rejection('not-a-reading', 'sensor, at or celsius is missing, not finite or of another type')
    } catch (error) {
      return new Rejection('malformed', String(error))
    }
  },
}

export const hottestTable: UpsertTable<Hottest> = {
  mode: 'upsert',
  name: 'hottest_1m',
  key: ['sensor', 'minute'],
  revision: 'revision',
  columns: [
    { name: 'sensor', type: 'text', of: (row) => row.sensor },
    { name: 'minute', type: 'timestamptz', of: (row) => row.minute },
    { name: 'celsius', type: 'numeric', of: (row) => row.celsius },
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
