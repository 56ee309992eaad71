import { text } from 'node:stream/consumers'
import { runPipeline } from '../../src/host/runPipeline.ts'
import { listFeed } from '../../test/support/listFeed.ts'
import { crossings, crossingsTopic } from './crossings.ts'
import type { Life } from './spareLives.ts'

// Waits, with all of its modules loaded, until it is told on standard input what to do; nothing is a life that was not needed.
const told = await text(process.stdin)
if (told !== '') {
  // Goes on where the life before was, until every minute is told.
  const { databaseUrl, schema, dataDir, url, minutes, pauseMs } = JSON.parse(told) as Life
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
}
