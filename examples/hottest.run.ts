// The same from a program: an embedded PostgreSQL holds the log, the state and the rows, each counted exactly once.
import { runPipeline } from 'millrace'
import hottest from './hottest.ts'
import { weather } from './weather.ts'

const dataDir = process.argv[2] ?? '.millrace'
const { rows } = await runPipeline(hottest, { dataDir, feed: weather, untilEnd: true, closeOpen: true })
console.log(`${rows.hottest_1m} rows for hottest_1m`)
