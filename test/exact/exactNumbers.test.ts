import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Fixed8, toFixed8 } from '../../src/exact/decimal.ts'
import { ExactNumbers } from '../../src/exact/exactNumbers.ts'

/** On both sides of 2^53, where a count is no number any more. */
const count = fc
  .oneof(fc.bigInt({ min: 0n, max: 1n << 70n }), fc.bigInt({ min: (1n << 53n) - 3n, max: (1n << 53n) + 3n }))
  .map((units) => toFixed8(units))
const places = { price: 0, volume: 1, total: 2, taker: 4 }

test('numbers side by side are as exact as bigints, whatever of them outgrows a double, and none gets into another', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ price: count, quantity: count, isTaker: fc.boolean() }), { maxLength: 30 }),
      (trades) => {
        const numbers = new ExactNumbers([0.5, 0, 0, 0, 0, 0])
        const expected: [price: Fixed8, volume: bigint, total: bigint, taker: bigint] = [0, 0n, 0n, 0n]
        for (const { price, quantity, isTaker } of trades) {
          numbers.setCount(places.price, price)
          numbers.addToSum(places.volume, quantity)
          numbers.addProduct(places.total, price, quantity, isTaker ? places.taker : -1)
          const product = BigInt(price) * BigInt(quantity)
          expected[0] = price
          expected[1] += BigInt(quantity)
          expected[2] += product
          if (isTaker) expected[3] += product
        }
        expect([
          numbers.count(places.price),
          numbers.sum(places.volume),
          numbers.product(places.total),
          numbers.product(places.taker),
        ]).toStrictEqual([expected[0], toFixed8(expected[1]), expected[2], expected[3]])
      },
    ),
    { numRuns: 2_000 },
  )
})
