import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineHead } from '../../../src/sinks/archive/lineHead.ts'

const edges = [-2, -1, 0, 8, 9, 98, 99, 999_998, 1e8 - 2, 1e16, Number.MAX_SAFE_INTEGER - 2, 1e21, 0.5]
const times = [-1, 0, 7, 1_723_161_255_342, 1_723_161_255_343, 9_999_999_999_999, Number.MAX_SAFE_INTEGER]

test('a line begins as String writes its numbers, whatever the one before was, and nothing beside it is touched', () => {
  const runs = fc.array(
    fc.record({
      first: fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat()),
      timestamps: fc.array(fc.constantFrom(...times), { minLength: 1, maxLength: 15 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  fc.assert(
    fc.property(runs, fc.nat(5), (written, at) => {
      const head = new LineHead()
      for (const { first, timestamps } of written) {
        for (const [i, timestamp] of timestamps.entries()) {
          const target = Buffer.alloc(100, '.')
          const offset = first + i
          const end = head.write(offset, timestamp, new DataView(target.buffer, target.byteOffset, target.length), at)
          const expected = `{"offset":${offset},"timestamp":${timestamp}`
          expect(target.toString()).toBe('.'.repeat(at) + expected + '.'.repeat(100 - end))
        }
      }
    }),
    { numRuns: 1_000 },
  )
})
