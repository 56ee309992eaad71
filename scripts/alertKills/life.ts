import { runPipeline } from '../../src/host/runPipeline.ts'
import { listFeed } from '../../test/support/listFeed.ts'
import { crossings, crossingsTopic } from './crossings.ts'
import type { Life } from './killAtDelivery.ts'

/** One life of the process that is killed: goes on where the one before was, until every minute is told. */
const { databaseUrl, schema, dataDir, url, minutes, pauseMs } = JSON.parse(process.argv[2] ?? '') as Life
const values = Array.from({ length: minutes }, (_, minute) => ({ minute }))
await runPipeline(crossings(url), {
  databaseUrl,
  schema,
  dataDir,
  archive: 'none',
  partitions: 1,
  untilEnd: true,
  feed: { feed: listFeed('minutes', values, { perRead: 1, pauseMs }), topic: crossingsTopic },
  limits: { checkpointIntervalMs: 20 },
})
