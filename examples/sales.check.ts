// How a pipeline of two inputs is tested: the test pushes the records in an order of its own, and the kit saves, restores and
// crashes the pipeline on the way. Works in any test runner; this is plain Node.
import assert from 'node:assert/strict'
import { testPipeline } from 'millrace/testing'
import { sales } from './sales.ts'

const noon = Date.UTC(2024, 7, 8, 12)
const run = testPipeline(sales, { crashAt: [2, 5] })

run.push('customers', { key: 'ada', value: '{"country":"GB","isTrusted":false}' })
run.push('orders', { key: 'ada', value: order('o1', 'ada', 1_000, 60_000) })
run.push('customers', { key: 'ada', value: '{"country":"GB","isTrusted":true}' })
run.push('orders', { key: 'ada', value: order('o2', 'ada', 9_000, 70_000) })
run.push('orders', { key: 'ada', value: '{"id":"o3"}' })
run.push('customers', { key: 'ada', value: null })
run.push('orders', { key: 'ada', value: order('o4', 'ada', 10_000, 80_000) })
run.push('orders', { key: 'ada', value: order('o5', 'ada', 3_000, 1) }) // out of order, but its window is open
run.closeOpen()

assert.deepEqual(run.rows('spent_10s'), [
  { customer: 'ada', start: noon, orders: 3, cents: 130_001, revision: 1 },
  { customer: 'ada', start: noon + 10_000, orders: 1, cents: 80_000, revision: 1 },
])
const sold = run.messages('sold').map(({ decoded }) => decoded as { id: string; country: string; isTrusted: boolean })
assert.deepEqual(
  sold.map(({ id, country, isTrusted }) => [id, country, isTrusted]),
  [
    ['o1', 'GB', false],
    ['o2', 'GB', true],
    ['o4', 'unknown', false],
    ['o5', 'unknown', false],
  ],
)
assert.deepEqual(
  run.messages('review').map(({ value }) => JSON.parse(String(value)).id),
  ['o1', 'o4'],
)
assert.deepEqual(
  run.deadLetters().map(({ reason }) => reason),
  ['malformed'],
)
run.finish()
console.log('sales: rows, messages and dead letters are as expected, interrupted or not')

function order(id: string, customer: string, afterNoonMs: number, cents: number): string {
  return JSON.stringify({ id, customer, at: noon + afterNoonMs, cents })
}
