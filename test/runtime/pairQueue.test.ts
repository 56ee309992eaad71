import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PairQueue } from '../../src/runtime/pairQueue.ts'

it('gives the pairs as a list would, however many are added and dropped', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 3_000 }) }) },
    { weight: 3, arbitrary: fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.record({ set: fc.integer({ min: 2 ** 33, max: 2 ** 50 }) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const queue = new PairQueue()
      let list: (readonly [number, number])[] = []
      let next = 0
      for (const one of steps) {
        if ('push' in one) {
          for (let n = 0; n < one.push; n += 1) {
            const pair = [n % 7 === 0 ? -1 : n, 2 ** 40 + next] as const
            queue.push(...pair)
            list.push(pair)
            next += 1
          }
        } else if ('drop' in one) {
          const count = Math.floor(one.drop * list.length)
          queue.drop(count)
          list = list.slice(count)
        } else if (list.length > 0) {
          queue.setLast(one.set)
          list[list.length - 1] = [list.at(-1)?.[0] as number, one.set]
        }
        expect(queue.length).toBe(list.length)
      }
      expect([...queue]).toEqual(list)
    }),
    { numRuns: 200 },
  )
})
