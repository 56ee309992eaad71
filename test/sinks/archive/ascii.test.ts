import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copySmall, writeInteger } from '../../../src/sinks/archive/ascii.ts'

test('a number is written as String writes it, and nothing beside it is touched', () => {
  const edges = [
    0,
    1,
    9,
    10,
    99,
    100,
    9_999_999,
    10_000_000,
    10_000_001,
    1_723_161_255_342,
    1e14 - 1,
    1e14,
    -1,
    1e21,
    0.5,
    -0,
  ]
  const anyNumber = fc.oneof(fc.maxSafeInteger(), fc.maxSafeNat(), fc.nat(), fc.double(), fc.constantFrom(...edges))
  fc.assert(
    fc.property(anyNumber, fc.nat(5), (value, at) => {
      const target = Buffer.alloc(64, '.')
      const end = writeInteger(value, target, at)
      expect(target.toString()).toBe('.'.repeat(at) + String(value) + '.'.repeat(64 - end))
    }),
    { numRuns: 1_000 },
  )
})

test('bytes are copied whole, few or many', () => {
  for (const length of [0, 1, 64, 65, 1_000]) {
    const target = Buffer.alloc(length + 2, '.')
    expect(copySmall(Buffer.alloc(length, 'x'), target, 1)).toBe(length + 1)
    expect(target.toString()).toBe(`.${'x'.repeat(length)}.`)
  }
})
