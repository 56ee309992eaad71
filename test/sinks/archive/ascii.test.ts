import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FixedText, writeFixed, writeInteger } from '../../../src/sinks/archive/ascii.ts'

test('a number is written as String writes it, and nothing beside it is touched', () => {
  const edges = [
    0,
    1,
    9,
    10,
    99,
    100,
    999,
    1_000,
    9_999,
    10_000,
    99_999_999,
    100_000_000,
    9_999_999,
    1e16,
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
      const end = writeInteger(value, target, new DataView(target.buffer, target.byteOffset, target.length), at)
      expect(target.toString()).toBe('.'.repeat(at) + String(value) + '.'.repeat(64 - end))
    }),
    { numRuns: 1_000 },
  )
})

test('fixed text is written whole, short or long, of ASCII or not', () => {
  for (const length of [0, 1, 7, 8, 9, 15, 16, 17, 64, 65, 1_000]) {
    for (const letter of ['x', 'é', '\u007f']) {
      const text = letter.repeat(length)
      const bytes = Buffer.byteLength(text)
      const target = Buffer.alloc(bytes + 2, '.')
      const view = new DataView(target.buffer, target.byteOffset, target.length)
      expect(writeFixed(new FixedText(text), target, view, 1)).toBe(bytes + 1)
      expect(target.toString()).toBe(`.${text}.`)
    }
  }
})
