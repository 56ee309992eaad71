import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NumericBytes } from '../../../src/sinks/postgres/numericBytes.ts'

const minus = 0x4000
const nan = 0xc000

/** As the server sends a numeric: without zeros at either end of its digits of base 10,000. */
function sent(count: bigint, places: number, shownPlaces: number, sign = count < 0n ? minus : 0): Buffer {
  const text = String(count < 0n ? -count : count).padStart(places + 1, '0')
  const [whole, fraction] = [text.slice(0, text.length - places), text.slice(text.length - places)]
  const left = whole.padStart(Math.ceil(whole.length / 4) * 4, '0')
  const right = fraction.padEnd(Math.ceil(places / 4) * 4, '0')
  const digits = `${left}${right}`.match(/.{4}/g)?.map(Number) ?? []
  let weight = left.length / 4 - 1
  while (digits[0] === 0) {
    digits.shift()
    weight -= 1
  }
  while (digits.at(-1) === 0) digits.pop()
  const bytes = Buffer.alloc(8 + 2 * digits.length)
  bytes.writeUInt16BE(digits.length, 0)
  bytes.writeInt16BE(digits.length === 0 ? 0 : weight, 2)
  bytes.writeUInt16BE(sign, 4)
  bytes.writeUInt16BE(shownPlaces, 6)
  for (const [i, digit] of digits.entries()) bytes.writeUInt16BE(digit, 8 + 2 * i)
  return bytes
}

const count = fc.oneof(fc.bigInt({ min: -20_000n, max: 20_000n }), fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }))

test('a numeric has room in so many digits where it is a number and nothing is behind them', () => {
  const numeric = new NumericBytes()
  fc.assert(
    fc.property(count, fc.integer({ min: 0, max: 20 }), (one, places) => {
      const loaded = numeric.load(sent(one, places, places), 0)
      expect(loaded.hasPlaces(2)).toBe(places <= 8 || one % 10n ** BigInt(places - 8) === 0n)
      if (loaded.hasPlaces(2)) expect(BigInt(loaded.fixed8()) * 10n ** BigInt(places)).toBe(one * 10n ** 8n)
      else expect(() => loaded.fixed8()).toThrow(RangeError)
    }),
  )
  expect(numeric.load(sent(0n, 0, 0, nan), 0).hasPlaces(2)).toBe(false)
})
