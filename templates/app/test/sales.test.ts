import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testFeed, testPipeline } from 'millrace/testing'
import feed from '../src/feed.ts'
import type { Order } from '../src/orders.ts'
import sales from '../src/sales.ts'

const minute = 60_000
const start = Date.UTC(2026, 0, 1, 12)

test('sales are the sums of the orders, whatever comes when, restored and crashed anywhere', () => {
  const order: fc.Arbitrary<Order> = fc.record({
    id: fc.nat(),
    product: fc.constantFrom('tea', 'rum'),
    at: fc.nat(5 * minute).map((ms) => start + ms),
    cents: fc.nat(1_000),
  })
  fc.assert(
    fc.property(fc.array(order), fc.array(fc.nat(20)), (orders, crashes) => {
      const run = testPipeline(sales, { crashAt: crashes.filter((at) => at < orders.length) })
      run.pushValues('orders', ...orders)
      run.closeOpen()
      const found = run.rows('sales_1m').map(({ revision: _, ...row }) => row)
      assert.deepEqual(new Set(found), new Set(plainSums(orders)))
      run.finish()
    }),
  )
})

test('the feed gives the same orders, restarted or not', async () => {
  const { values } = await testFeed(feed)
  assert.equal(values.length, 60)
})

/** What the rows should be, by the plainest program there is. It shares no code with the pipeline. */
function plainSums(orders: readonly Order[]) {
  const sums = new Map<string, { product: string; minute: number; orders: number; cents: number }>()
  for (const { product, at, cents } of orders) {
    const inMinute = at - (at % minute)
    const sum = sums.get(`${product} ${inMinute}`) ?? { product, minute: inMinute, orders: 0, cents: 0 }
    sums.set(`${product} ${inMinute}`, { ...sum, orders: sum.orders + 1, cents: sum.cents + cents })
  }
  return [...sums.values()]
}
