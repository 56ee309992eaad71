import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addFixed8,
  divideHalfEven,
  type Fixed8,
  fixed8Pattern,
  formatFixed,
  parseFixed8,
  parseFixed8At,
  subFixed8,
  toFixed8,
} from '../../src/exact/decimal.ts'
import { ProductSum } from '../../src/exact/productSum.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')
const parseBytes = (text: string) => parseFixed8At(bytes(`"${text}"`), 1, 1 + text.length)

/** Every magnitude is as likely as any other, so that the borders at 2^53 and 2^83 are crossed often. */
const units = fc
  .tuple(fc.integer({ min: 0, max: 80 }), fc.bigInt({ min: 0n, max: (1n << 80n) - 1n }))
  .map(([bits, value]) => value & ((1n << BigInt(bits)) - 1n))
const fixed8 = units.map((value) => toFixed8(value))
const decimalLike = fc.oneof(
  fc.stringMatching(/^[0-9]{0,20}(\.[0-9]{0,20})?$/),
  fc.stringMatching(/^[-+0-9.eE x]{0,12}$/),
  units.map((value) => formatFixed(value, 8, 8)),
  units.map((value) => formatFixed(value, 8, 14)),
)

describe('parsing', () => {
  test.each<[string, number | bigint]>([
    ['61837.63000000', 6183763000000],
    ['0.00000001', 1],
    ['0', 0],
    ['5', 500000000],
    ['1.5', 150000000],
    ['0.1234567800', 12345678],
    ['90071992.54740991', 9007199254740991],
    ['90071992.54740992', 9007199254740992n],
    ['90071991.99999999', 9007199199999999],
    ['1600000000.00000001', 160000000000000001n],
    ['999999999999999999.99999999', 99999999999999999999999999n],
  ])('%s is exact', (text, value) => {
    expect(parseFixed8(text)).toBe(value)
    expect(parseBytes(text)).toBe(value)
  })

  test.each([
    '',
    '.',
    '1.',
    '.1',
    '-1',
    '+1',
    '1e3',
    '1e999',
    'NaN',
    'Infinity',
    '0x10',
    '01',
    '00',
    '1.000000001',
    '1.2.3',
    ' 1',
    '1 ',
    '1,5',
    '1000000000000000000',
    '123456789012345678901234567890',
    '1.0000000000000000000',
    '0.12345678x',
    '\n1',
    '١',
  ])('%j is refused', (text) => {
    expect(parseFixed8(text)).toBeNull()
    expect(parseBytes(text)).toBeNull()
  })

  test('text and bytes agree with each other, with the pattern and with BigInt', () => {
    fc.assert(
      fc.property(decimalLike, (text) => {
        const value = parseFixed8(text)
        expect(parseBytes(text)).toBe(value)
        expect(value !== null).toBe(fixed8Pattern.test(text))
        if (value === null) return
        const [integer = '', fraction = ''] = text.split('.')
        expect(BigInt(value)).toBe(BigInt(integer + fraction.padEnd(18, '0')) / 10n ** 10n)
        expect(typeof value).toBe(Number.isSafeInteger(Number(value)) ? 'number' : 'bigint')
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('arithmetic', () => {
  test('sums and differences are exact and canonical at every magnitude', () => {
    fc.assert(
      fc.property(fixed8, fixed8, (a, b) => {
        expect(addFixed8(a, b)).toBe(toFixed8(BigInt(a) + BigInt(b)))
        expect(subFixed8(a, b)).toBe(toFixed8(BigInt(a) - BigInt(b)))
        expect(subFixed8(addFixed8(a, b), b)).toBe(a)
      }),
      { numRuns: 5_000 },
    )
    const [most, one] = [toFixed8(Number.MAX_SAFE_INTEGER), toFixed8(1)]
    expect(addFixed8(most, one)).toBe(9007199254740992n)
    expect(addFixed8(most, toFixed8(2))).toBe(9007199254740993n)
    expect(subFixed8(9007199254740992n, one)).toBe(Number.MAX_SAFE_INTEGER)
  })

  test.each([
    [5n, 2n, 2n],
    [7n, 2n, 4n],
    [-5n, 2n, -2n],
    [-7n, 2n, -4n],
    [5n, -2n, -2n],
    [7n, -2n, -4n],
    [1n, 2n, 0n],
    [3n, 2n, 2n],
    [2n, 3n, 1n],
    [1n, 3n, 0n],
    [-2n, 3n, -1n],
    [6n, 3n, 2n],
    [0n, 7n, 0n],
  ])('%s / %s rounds half to even to %s', (numerator, denominator, quotient) => {
    expect(divideHalfEven(numerator, denominator)).toBe(quotient)
  })

  test('a rounded quotient is never more than half away, and even where it is exactly half', () => {
    const signed = fc.tuple(units, fc.boolean()).map(([value, negative]) => (negative ? -value : value))
    fc.assert(
      fc.property(signed, signed, (numerator, denominator) => {
        fc.pre(denominator !== 0n)
        const quotient = divideHalfEven(numerator, denominator)
        const abs = (value: bigint) => (value < 0n ? -value : value)
        const twice = 2n * abs(numerator - quotient * denominator)
        expect(twice <= abs(denominator)).toBe(true)
        if (twice === abs(denominator)) expect(quotient % 2n).toBe(0n)
      }),
    )
    expect(() => divideHalfEven(1n, 0n)).toThrow(RangeError)
  })
})

describe('text', () => {
  test('formatting and parsing are inverse', () => {
    fc.assert(
      fc.property(units, (value) => {
        expect(parseFixed8(formatFixed(value, 8, 8))).toBe(toFixed8(value))
      }),
    )
  })

  test.each<[number | bigint, number, number, string]>([
    [6183763000000, 8, 8, '61837.63000000'],
    [1, 8, 8, '0.00000001'],
    [0, 8, 8, '0.00000000'],
    [-150000000, 8, 8, '-1.50000000'],
    [1, 8, 10, '0.0000000100'],
    [123n, 0, 0, '123'],
    [123n, 0, 2, '123.00'],
    [10n ** 16n + 1n, 16, 16, '1.0000000000000001'],
    [10n ** 16n + 1n, 16, 8, '1.00000000'],
    [50_000_000n, 16, 8, '0.00000000'],
    [150_000_000n, 16, 8, '0.00000002'],
    [-1n, 16, 8, '0.00000000'],
    [250n, 2, 0, '2'],
  ])('%s at scale %s with %s places is %s', (value, scale, places, text) => {
    expect(formatFixed(value, scale, places)).toBe(text)
  })
})

describe('ProductSum', () => {
  test('equals the sum of BigInt products at every magnitude, alone and shared', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fixed8, fixed8, fc.boolean()), { maxLength: 40 }), (trades) => {
        const total = new ProductSum()
        const takerBuy = new ProductSum()
        let expectedTotal = 0n
        let expectedTakerBuy = 0n
        for (const [price, quantity, isTakerBuy] of trades) {
          total.add(price, quantity, isTakerBuy ? takerBuy : null)
          const product = BigInt(price) * BigInt(quantity)
          expectedTotal += product
          if (isTakerBuy) expectedTakerBuy += product
        }
        expect(total.toBigInt()).toBe(expectedTotal)
        expect(takerBuy.toBigInt()).toBe(expectedTakerBuy)
      }),
      { numRuns: 3_000 },
    )
  })

  test.each<[string, number | bigint, number | bigint]>([
    ['BTCUSDT', 6183763000000, 2000000],
    ['SHIBUSDT', 1337, toFixed8(10n ** 17n)],
    ['BTCIDR', toFixed8(160000000000000001n), 123456789],
    ['the largest safe integers', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['just below the bound of doubles', 2 ** 53 - 1, 2 ** 30 - 1],
    ['just above the bound of doubles', 2 ** 53 - 1, 2 ** 30 + 1],
    ['odd factors that a double would round', 3037000501, 3037000499],
  ])('stays exact over 100,000 trades of %s', (_name, price, quantity) => {
    const sum = new ProductSum()
    for (let count = 0; count < 100_000; count += 1) sum.add(toFixed8(price), toFixed8(quantity))
    expect(sum.toBigInt()).toBe(100_000n * BigInt(price) * BigInt(quantity))
  })

  test('carries from limb to limb without loss', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: (1n << 82n) - 5n, max: (1n << 83n) + 5n }), { maxLength: 20 }),
        (values) => {
          const sum = new ProductSum()
          for (const value of values) sum.addUnits(value)
          expect(sum.toBigInt()).toBe(values.reduce((total, value) => total + value, 0n))
        },
      ),
    )
    const sum = ProductSum.from((1n << 52n) - 1n)
    const [first, second] = [toFixed8(65_535), toFixed8(65_537)]
    for (let count = 0; count < 5_000_000; count += 1) sum.add(first, second)
    expect(sum.toBigInt()).toBe((1n << 52n) - 1n + 5_000_000n * 4_294_967_295n)
  })

  test('goes on from a saved value', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 120n }), fixed8, fixed8, (saved, price, quantity) => {
        const sum = ProductSum.from(saved)
        expect(sum.toBigInt()).toBe(saved)
        sum.add(toFixed8(price), toFixed8(quantity))
        expect(sum.toBigInt()).toBe(saved + BigInt(price) * BigInt(quantity))
      }),
    )
  })
})

test('a float is told, and never counted as something', () => {
  const float = 61_837.63 as Fixed8
  expect(() => toFixed8(61_837.63)).toThrow('61837.63 is no count of 1e-8: make one of decimal text by parseFixed8')
  expect(() => toFixed8(Number.NaN)).toThrow(RangeError)
  expect(() => addFixed8(float, toFixed8(1))).toThrow(RangeError)
  expect(() => subFixed8(float, toFixed8(1))).toThrow(RangeError)
  expect(() => formatFixed(61_837.63, 8, 8)).toThrow('61837.63 is no whole number of units')
})
