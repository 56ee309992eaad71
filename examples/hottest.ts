// A pipeline of one's own: the hottest reading of each sensor in each minute, exactly once into a table.
// `npx millrace run ./hottest.ts` runs it until Ctrl-C, with `--until-end --close-open` until all that is there is committed.
import { aggregateWindow, definePipeline, eventTime, table, toPostgres, tumblingWindow } from 'millrace'
import { readings } from './weather.ts'

const hottest = table('hottest_1m', {
  columns: {
    sensor: 'text',
    minute: 'timestamptz',
    // Exact numbers are text; a float would be refused.
    celsius: { type: 'numeric', from: (celsius: number) => String(celsius) },
    revision: 'integer',
  },
  key: ['sensor', 'minute'],
  revision: 'revision',
})

export default definePipeline({
  name: 'hottest',
  inputs: { readings },
  build: ({ readings }) => ({
    hottest_1m: toPostgres(
      readings.pipe(
        eventTime({ of: (reading) => reading.at, maxOutOfOrdernessMs: '5s' }),
        tumblingWindow({ name: '1m', sizeMs: '1m', by: (reading) => reading.sensor }),
        aggregateWindow({
          initial: () => Number.NEGATIVE_INFINITY,
          add: (highest, reading) => Math.max(highest, reading.celsius),
          result: (celsius, { key, start }, { revision }) => ({ sensor: key, minute: start, celsius, revision }),
        }),
      ),
      hottest,
    ),
  }),
})
