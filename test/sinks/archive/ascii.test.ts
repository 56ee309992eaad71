import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copyText, FixedText, isSame, viewOf, writeFixed, writeInteger } from '../../../src/sinks/archive/ascii.ts'

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

test('bytes are the same where none of them is another, and where they are as many', () => {
  const bytes = fc.uint8Array({ maxLength: 20 })
  fc.assert(
    fc.property(bytes, fc.nat(19), fc.nat(5), (text, changed, start) => {
      const around = Buffer.concat([Buffer.alloc(start, 1), text, Buffer.alloc(5, 2)])
      expect(isSame(viewOf(text), viewOf(around), start, text.length)).toBe(true)
      expect(isSame(viewOf(text), viewOf(around), start, text.length + 1)).toBe(false)
      if (changed >= text.length) return
      around[start + changed]! ^= 0x80
      expect(isSame(viewOf(text), viewOf(around), start, text.length)).toBe(false)
    }),
  )
})

test('a text is copied to its last byte, and nothing beside it is touched', () => {
  // In UTF-8 the bytes of a NaN come nowhere, and everything else has to stay as it is.
  const texts = fc
    .string({ unit: 'binary', minLength: 8, maxLength: 60 })
    .map((text) => Buffer.from(text.replace(/[\u{10000}-\u{10ffff}]/gu, '$&\u007f')))
  fc.assert(
    fc.property(texts, fc.nat(9), fc.nat(9), (text, start, at) => {
      const source = Buffer.concat([Buffer.alloc(start, 1), text, Buffer.alloc(3, 2)])
      const target = Buffer.alloc(at + text.length + 9, '.')
      copyText(viewOf(source), start, viewOf(target), at, text.length)
      const untouched = (length: number) => Buffer.alloc(length, '.')
      expect(target).toEqual(Buffer.concat([untouched(at), text, untouched(9)]))
    }),
    { numRuns: 500 },
  )
})
