// Run it with `node --test testWithLaws.check.ts`.
import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testPipeline } from 'millrace/testing'
import takings from './correctLateData.ts'

const hour = 3_600_000

test('an hour has the sum of its sales, whatever their order, restored and crashed anywhere', () => {
  const sale = fc.record({
    shop: fc.constantFrom('north', 'south'),
    at: fc.integer({ min: 0, max: 3 * hour }),
    cents: fc.nat(1_000),
  })
  fc.assert(
    fc.property(fc.array(sale, { minLength: 1 }), fc.nat(50), (sales, crash) => {
      const run = testPipeline(takings, { crashAt: crash < sales.length ? [crash] : [] })
      run.pushValues('sales', ...sales)
      run.closeOpen()

      const sums = new Map<string, number>()
      for (const { shop, at, cents } of sales) {
        const key = `${shop} ${Math.floor(at / hour)}`
        sums.set(key, (sums.get(key) ?? 0) + cents)
      }
      const rows = run.rows('takings_1h').map((row) => [`${row.shop} ${row.hour / hour}`, row.cents] as const)
      deepEqual(new Map(rows), sums)
      run.finish()
    }),
  )
})
