// How a pipeline of one's own is tested: the kit saves and restores it after every record and compares with a run that
// was never interrupted. No database, no clock. Works in any test runner; this is plain Node.
import assert from 'node:assert/strict'
import { testPipeline } from 'millrace/testing'
import hottest from './hottest.ts'

const noon = Date.UTC(2024, 7, 8, 12)
const run = testPipeline(hottest, { crashAt: [1] })

run.pushValues(
  'readings',
  { sensor: 'roof', at: noon + 1_000, celsius: 31.5 },
  { sensor: 'roof', at: noon + 30_000, celsius: 33 },
  { sensor: 'cellar', at: noon + 31_000, celsius: 12 },
)
run.push('readings', { value: { sensor: 'roof', at: 'noon' } })
// JSON too, but beyond every number.
run.push('readings', { value: '{"sensor":"roof","at":1723118431000,"celsius":1e999}' })
run.push('readings', { value: 'roof: 31.5' })
run.pushValues('readings', { sensor: 'roof', at: noon + 65_000, celsius: 32 })
assert.deepEqual(run.rows('hottest_1m'), [
  { sensor: 'cellar', minute: noon, celsius: 12, revision: 1 },
  { sensor: 'roof', minute: noon, celsius: 33, revision: 1 },
])
assert.deepEqual(
  run.deadLetters().map(({ offset, reason }) => ({ offset, reason })),
  [
    { offset: 3, reason: 'malformed' },
    { offset: 4, reason: 'malformed' },
    { offset: 5, reason: 'not-json' },
  ],
)
run.finish({ mayBeOpen: true })
console.log('hottest: rows and dead letters are as expected, interrupted or not')
