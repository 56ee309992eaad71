// How both halves of a hop are tested together: what the upper one sends, markers included, is pushed to the lower one.
import assert from 'node:assert/strict'
import { testMarker, testPipeline } from 'millrace/testing'
import { byCustomer } from './byCustomer.ts'
import { spentPerDay } from './spentPerDay.ts'

const day = Date.UTC(2024, 7, 8)
const hour = 3_600_000
const above = testPipeline(byCustomer, { crashAt: [1] })
const below = testPipeline(spentPerDay, { crashAt: [2, 5] })

let handed = 0
function handDown(): void {
  const sent = above.sent('out')
  below.push('orders', ...sent.slice(handed))
  handed = sent.length
}

above.pushValues(
  'orders',
  { id: 'o1', shop: 'north', customer: 'ada', at: day + 22 * hour, cents: 500 },
  { id: 'o2', shop: 'south', customer: 'bob', at: day + 23.5 * hour, cents: 700 },
  { id: 'o3', shop: 'south', customer: 'ada', at: day + 23 * hour, cents: 20 }, // out of order, but not late
  { id: 'o4', shop: 'north', customer: 'ada', at: day + 25.5 * hour, cents: 9 }, // the day is over
  { id: 'o5', shop: 'north', customer: 'bob', at: day + 20 * hour, cents: 1 }, // late above, and so below
)
handDown()
assert.equal(below.watermark, above.watermark)
assert.deepEqual(below.rows('spent_per_day'), [
  { customer: 'ada', day, orders: 2, cents: 520, revision: 1 },
  { customer: 'bob', day, orders: 1, cents: 700, revision: 1 },
])
assert.deepEqual(
  below.deadLetters().map(({ reason }) => reason),
  ['late'],
)

// Another task above, of two, holds time back.
below.push('orders', testMarker({ pipeline: 'by_customer', topic: 'orders.shop', tasks: 2, task: 1, watermark: day }))
above.pushValues('orders', { id: 'o6', shop: 'north', customer: 'ada', at: day + 49 * hour, cents: 3 })
handDown()
assert.equal(below.rows('spent_per_day').length, 2)
below.closeOpen()
assert.equal(below.rows('spent_per_day').length, 4)
above.finish()
below.finish()
console.log('hop: rows and dead letters are as expected, interrupted or not')
