import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { definePipeline } from '../../src/runtime/pipeline.ts'
import type { AppendTable } from '../../src/runtime/table.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'

const Order = z.object({ id: z.number(), product: z.string() })
const Price = z.object({ product: z.string(), cents: z.number() })
const pricedOrderTable: AppendTable<{ readonly id: number; readonly cents: number | null }> = {
  name: 'priced_order',
  mode: 'append',
  columns: [
    { name: 'id', type: 'integer', of: ({ id }) => id },
    { name: 'cents', type: 'integer', of: ({ cents }) => cents },
  ],
}

const priced = definePipeline({
  name: 'priced',
  inputs: {
    orders: topic('orders', { value: jsonCodec(Order) }),
    prices: { topic: topic('prices', { value: jsonCodec(Price) }), movesTime: false },
  },
  build: ({ orders, prices }) => {
    const known = toTable(prices, {
      name: 'prices',
      by: ({ product }) => product,
      value: ({ cents }) => cents,
      maxKeys: 100_000,
    })
    const pricedOrders = orders.pipe(
      enrich(known, {
        by: ({ product }) => product,
        with: ({ id }, cents) => ({ id, cents: cents ?? null }),
      }),
    )
    return { priced_order: toPostgres(pricedOrders, pricedOrderTable) }
  },
})

it('every order is priced by the newest price before it, whatever comes when, restored and crashed anywhere', () => {
  const step = fc.record({
    what: fc.constantFrom('order', 'price'),
    product: fc.constantFrom('tea', 'rum'),
    cents: fc.nat(9),
  })
  fc.assert(
    fc.property(
      fc.array(step),
      fc.array(fc.nat(20)),
      fc.integer({ min: 1, max: 4 }),
      (steps, crashes, restoreEvery) => {
        const run = testPipeline(priced, { restoreEvery, crashAt: crashes.filter((at) => at < steps.length) })
        const prices = new Map<string, number>()
        const expected: unknown[] = []
        for (const [id, { what, product, cents }] of steps.entries()) {
          if (what === 'price') {
            run.pushValues('prices', { product, cents })
            prices.set(product, cents)
          } else {
            run.pushValues('orders', { id, product })
            expected.push({ id, cents: prices.get(product) ?? null })
          }
        }
        expect(run.rows('priced_order')).toEqual(expected)
        run.finish()
      },
    ),
  )
})

it.each([
  ['docs/testing.md', "it('every order is priced"],
  ['docs/tables.md', 'const priced'],
])('the program in %s is the one here', (page, start) => {
  const text = (path: string) =>
    readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
      .replaceAll(/\s+/g, '')
      .replaceAll(/,(?=[)\]}])/g, '')
  const fences = [...text(page).matchAll(/```ts([\s\S]*?)```/g)].map((match) => String(match[1]))
  const program = fences.find((fence) => fence.startsWith(start.replaceAll(' ', '')))
  expect(program).toBeDefined()
  expect(text('test/docs/law.test.ts')).toContain(program)
})
