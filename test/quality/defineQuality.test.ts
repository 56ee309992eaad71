import { expect, it } from 'vitest'
import { defineQuality } from '../../src/quality/quality.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'

const notNull = { kind: 'notNull', column: 'open' }

const define = (given: object) =>
  defineQuality({ table: 'bar', time: 'at', ...given } as Parameters<typeof defineQuality>[0])

it.each([
  [{ expectations: [] }, 'expectations: Too small'],
  [{ expectations: [{ kind: 'nonull', column: 'open' }] }, 'expectations.0'],
  [{ expectations: [{ ...notNull, severty: 'warn' }] }, 'expectations.0 (notNull)'],
  [{ expectations: [{ kind: 'range', column: 'open' }] }, 'needs one of min, max, above, below'],
  [{ expectations: [{ kind: 'range', column: 'open', max: 'NaN' }] }, 'a bound is a number or a time'],
  [{ expectations: [{ kind: 'order', columns: ['open'] }] }, 'expectations.0.columns'],
  [{ expectations: [{ kind: 'complete', every: '0s' }] }, 'must be more than 0'],
  [{ expectations: [{ kind: 'complete', every: '1 minute' }] }, "such as '5m'"],
  [{ expectations: [{ ...notNull, allow: {} }] }, 'says neither rows nor share'],
  [{ expectations: [{ ...notNull, allow: { share: 1.1 } }] }, 'expectations.0.allow.share'],
  [{ expectations: [notNull, notNull] }, 'two expectations of bar are called "open is not null"'],
  [{ expectations: [{ kind: 'references', columns: ['a'], table: 't', otherColumns: ['b', 'c'] }] }, 'more or fewer'],
  [
    { expectations: [{ kind: 'holds', that: { left: { column: 'a' }, is: 'like', right: { value: 1 } } }] },
    'expectations.0.that',
  ],
  [
    { by: ['symbol'], expectations: [{ kind: 'equals', table: 't', on: ['at'], columns: ['open'] }] },
    'equal to t: open: on lacks symbol',
  ],
  [{ name: 'With Spaces', expectations: [notNull] }, 'name'],
])('refuses %j', (given, words) => {
  expect(() => define(given)).toThrow(ConfigurationError)
  expect(() => define(given)).toThrow(words)
})

it('names expectations after what they expect, in words', () => {
  const { expectations } = define({
    expectations: [
      notNull,
      { kind: 'range', column: 'open', above: 0, max: '10.5' },
      { kind: 'order', columns: ['low', 'open', 'high'] },
      { kind: 'complete', every: '1m' },
      { kind: 'fresh', within: '5m' },
      {
        kind: 'holds',
        that: {
          any: [{ isNull: 'a' }, { left: { column: 'a' }, is: '>', right: { plus: [{ column: 'b' }, { value: 1 }] } }],
        },
      },
      { kind: 'acceptedValues', column: 'side', values: ['buy', 'sell'] },
      { kind: 'aggregate', of: 'sum', column: 'volume', min: 0 },
      { ...notNull, name: 'mine' },
    ],
  })
  expect(expectations.map(({ name }) => name)).toEqual([
    'open is not null',
    'open is more than 0 and at most 10.5',
    'low <= open <= high',
    'a row for each 1m',
    'the newest row is at most 5m old',
    'a is null or a > (b + 1)',
    'side is one of buy, sell',
    'the sum of volume is at least 0',
    'mine',
  ])
})
