// How a feed of one's own is tested: the kit reads it to its end, and once more with a restart after every yield, and compares.
// No log, no database. Works in any test runner; this is plain Node.
import assert from 'node:assert/strict'
import { testFeed } from 'millrace/testing'
import { weather } from './weather.ts'

const { values, records } = await testFeed(weather)
assert.equal(values.length, 20)
assert.deepEqual(values[0], { sensor: 'roof', at: Date.UTC(2024, 7, 8, 12), celsius: 20 })
assert.equal(String(records[1]?.key), 'cellar')
console.log('weather: the same records, restarted or not')
