import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type JsonCodec, jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { isJsonObject } from '../../src/codecs/jsonText.ts'
import { type Fixed8, toFixed8 } from '../../src/exact/decimal.ts'
import { fixed8Schema } from '../../src/exact/fixed8Schema.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { type Lender, Rejection } from '../../src/runtime/log/codec.ts'
import { ReadAhead } from '../../src/runtime/log/readAhead.ts'
import { kept } from '../../src/runtime/spans/lent.ts'
import { encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../src/sources/recordBatch/walker.ts'
import { columnsAgree } from './columnsAgree.ts'
import { lendsTogether } from './lendsTogether.ts'
import { objectOf } from './randomSchema.ts'
import { recordOf } from './recordOf.ts'

let columnsFound = 0
const lenders = new WeakMap<object, Lender<unknown>>()

/** What is lent of the record, behind a broken one that was read with it; undefined where it is left to `decode`. */
function lentOf<T>(codec: JsonCodec<T>, value: Buffer): T | undefined {
  const lender = (lenders.get(codec) ?? codec.lender?.(2)) as Lender<T> | undefined
  if (lender === undefined) return undefined
  lenders.set(codec, lender)
  const records = ['{', value].map((one) => ({ timestamp: 0, key: null, value: Buffer.from(one), headers: [] }))
  const ahead = new ReadAhead(2)
  ahead.next(new RecordBatchWalker('values', 0).load(encodeRecordBatch(0, records)))
  lender.read(ahead)
  return lender.lend(1)
}

/** Decodes both ways, in the middle and at the end of a buffer, and holds the results against each other. */
function agree<T>(codec: JsonCodec<T>, value: Buffer): { result: T | Rejection; isInPlace: boolean } {
  const result = codec.interpret(value, 0, value.length)
  let isInPlace = false
  for (const after of [100, 0]) {
    const record = recordOf({ value, after })
    const fast = codec.readInPlace(record.buffer, record.valueStart, record.valueStart + value.length)
    isInPlace = fast !== undefined
    if (fast !== undefined) {
      assert.deepEqual(fast, result)
      assert.deepEqual(Object.keys(fast as object), Object.keys(result as object))
      assert(isJsonObject(value, 0, value.length))
    }
    const facts = { isJsonObject: false }
    assert.deepEqual(codec.decode(record, facts), result)
    assert.equal(facts.isJsonObject, isInPlace)
  }
  const lent = lentOf(codec, value)
  if (lent !== undefined) {
    assert.deepEqual(kept(lent), result)
    assert.deepEqual({ ...lent }, result)
    assert.deepEqual(Object.keys(kept(lent) as object), Object.keys(result as object))
    assert.deepEqual(Object.keys(lent as object), Object.keys(result as object))
    columnsFound += columnsAgree(lent, 1, result as Readonly<Record<string, unknown>>)
  }
  if (result instanceof Rejection) {
    assert.match(result.reason, /^(not-utf8|not-json|malformed)$/)
    assert(result.detail.length > 0 && result.detail.length <= 240)
  }
  return { result, isInPlace }
}

const decode = <T>(schema: z.ZodType<T>, text: string) => agree(jsonCodec(schema), Buffer.from(text)).result
const reasonOf = (result: unknown) => (result instanceof Rejection ? result.reason : result)
const detailOf = (result: unknown) => (result instanceof Rejection ? result.detail : result)

/** JSON.stringify writes -0 as 0. */
const withoutSigns = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutSigns)
  if (typeof value !== 'object' || value === null) return value === 0 ? 0 : value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutSigns(item)]))
}

const hostileTokens = [
  ...[
    '1e999',
    '-1e999',
    'NaN',
    'Infinity',
    '-0',
    '-0.0',
    '0.0',
    '00',
    '01',
    '-',
    '1.',
    '.5',
    '1.0',
    '1e3',
    '1E-400',
    '1e',
    '5e-324',
  ],
  ...[
    '12345678901234567890',
    '9007199254740991',
    '9007199254740993',
    '-9007199254740992',
    '123456789012345.5',
    '0.1234567890123456',
  ],
  ...[
    '1234567890123456',
    '4294967296',
    '0.30000000000000004',
    '100.00000000000001',
    `${'9'.repeat(400)}`,
    `0.${'3'.repeat(200)}`,
  ],
  ...[
    'null',
    'true',
    'tru',
    '{}',
    '[]',
    '""',
    '"\\ud800"',
    '"\\u0000"',
    '"\\"',
    '"sell"',
    '"x"',
    '"5"',
    '"0.5"',
    '"\u0000"',
  ],
  ...[
    '{"__proto__":{"a":1}}',
    '['.repeat(200) + ']'.repeat(200),
    `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`,
    ' 1',
    '1 ',
    '1\n',
    '',
  ],
]
const hostileBytes = [
  [0xff],
  [0xed, 0xa0, 0x80],
  [0xc0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe2, 0x82],
  [0x00],
  [0xef, 0xbb, 0xbf],
]
const tokens = /-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|"(?:[^"\\]|\\.)*"|true|false|null/g

/** Turns a sound text into bytes that may be anything but that. */
const damage: fc.Arbitrary<(text: string) => Buffer> = fc.oneof(
  fc.tuple(fc.nat(20), fc.constantFrom(...hostileTokens)).map(([which, token]) => (text: string) => {
    let index = 0
    return Buffer.from(text.replaceAll(tokens, (found) => (index++ === which ? token : found)))
  }),
  fc
    .constantFrom(
      '"a":1,',
      '"__proto__":1,',
      '"__proto__":{"id":1},',
      '"extra":[1,{"a":"b"}],',
      '"constructor":"x",',
      '"é":1,',
      ' ',
      '\t',
    )
    .map((first) => (text: string) => Buffer.from(text.replace('{', `{${first}`))),
  fc.constantFrom(' ', '\n', '}', 'x', '\0', ',', '{}').map((more) => (text: string) => Buffer.from(text + more)),
  fc
    .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(...hostileBytes))
    .map(([share, bytes]) => (text: string) => {
      const sound = Buffer.from(text)
      const at = Math.floor(share * sound.length)
      return Buffer.concat([sound.subarray(0, at), Buffer.from(bytes), sound.subarray(at)])
    }),
  fc.double({ min: 0, max: 1, noNaN: true }).map((share) => (text: string) => {
    const sound = Buffer.from(text)
    return sound.subarray(0, Math.floor(share * sound.length))
  }),
)

describe('jsonCodec', () => {
  test.each([
    ['usual schemas', true],
    ['any schema', false],
  ])('reads sound and hostile bytes in place as by JSON.parse and zod, for %s', (_name, isUsual) => {
    let inPlace = 0
    let rejected = 0
    const sample = objectOf(2, isUsual).chain(({ schema, value, isInPlace }) =>
      fc.record({
        schema: fc.constant(schema),
        isInPlace: fc.constant(isInPlace),
        values: fc.array(value, { minLength: 1, maxLength: 12 }),
        damages: fc.array(damage, { minLength: 12, maxLength: 12 }),
      }),
    )
    fc.assert(
      fc.property(sample, ({ schema, isInPlace, values, damages }) => {
        const codec = jsonCodec(schema)
        expect(codec.slowBecause === null).toBe(isInPlace)
        values.forEach((value, index) => {
          const text = JSON.stringify(value)
          const sound = agree(codec, Buffer.from(text))
          expect(sound.isInPlace).toBe(isInPlace && !(sound.result instanceof Rejection))
          if (sound.isInPlace) inPlace += 1
          const damaged = agree(codec, (damages[index] as (text: string) => Buffer)(text))
          if (damaged.result instanceof Rejection) rejected += 1
        })
      }),
      { numRuns: 300 },
    )
    expect(inPlace).toBeGreaterThan(isUsual ? 1_000 : 50)
    expect(rejected).toBeGreaterThan(500)
  })

  test('writes what it reads', () => {
    fc.assert(
      fc.property(
        objectOf(2, false).chain(({ schema, value }) => fc.tuple(fc.constant(schema), value)),
        ([schema, value]) => {
          const codec = jsonCodec(schema)
          const { result } = agree(codec, Buffer.from(JSON.stringify(value)))
          if (result instanceof Rejection) return
          const written = codec.encode(result)
          assert.deepEqual(withoutSigns(agree(codec, written).result), withoutSigns(result))
          expect(codec.encode(agree(codec, written).result)).toEqual(written)
        },
      ),
    )
  })

  test('says where and what by the words of zod', () => {
    const order = z.object({ id: z.int().min(1), lines: z.array(z.object({ price: z.number() })) })
    expect(decode(order, '{"id":0,"lines":[]}')).toEqual(
      new Rejection('malformed', 'id: Too small: expected number to be >=1'),
    )
    expect(detailOf(decode(order, '{"id":1,"lines":[{"price":1},{"price":1e999}]}'))).toBe(
      'lines.1.price: Invalid input: expected number, received Infinity',
    )
    expect(detailOf(decode(order, '7'))).toBe('the value: Invalid input: expected object, received number')
  })

  test('lets nothing of the record into a rejection', () => {
    const secret = 'S3CRET'
    for (const [schema, text] of [
      [z.strictObject({}), `{"${secret}":1}`],
      [z.strictObject({}), `{"${secret}":1,"${secret}2":1}`],
      [z.record(z.string(), z.int()), `{"${secret}":"x"}`],
      [z.record(z.enum(['a']), z.int()), `{"a":1,"${secret}":1}`],
      [z.object({ a: z.enum(['x']), b: z.email() }), `{"a":"${secret}","b":"${secret}"}`],
      [z.object({ b: z.email() }), `{"b":"${secret}"}`],
      [z.literal('x'), `"${secret}"`],
      [z.int(), secret],
    ] as const) {
      const result = decode(schema as z.ZodType, text)
      expect(result).toBeInstanceOf(Rejection)
      expect(detailOf(result)).not.toContain(secret)
    }
  })

  test('tells apart what is no text, no JSON and no value of the schema', () => {
    const reason = (bytes: number[] | string) =>
      reasonOf(agree(jsonCodec(z.object({ a: z.int() })), Buffer.from(bytes as string)).result)
    expect(reason([0x7b, 0xff])).toBe('not-utf8')
    expect(reason('')).toBe('not-json')
    expect(reason('\ufeff{"a":1}')).toBe('not-json')
    expect(reason('{"a":NaN}')).toBe('not-json')
    expect(reason('{"a":1.5}')).toBe('malformed')
  })

  test('takes the text null only where the schema does, and a record without a value nowhere', () => {
    const nullable = jsonCodec(z.object({ a: z.int() }).nullable())
    expect(agree(nullable, Buffer.from('null')).result).toBeNull()
    expect(reasonOf(nullable.decode(recordOf({ value: null })))).toBe('no-value')
  })

  test('transforms, and then has no way back; a codec of zod has one', () => {
    const oneWay = jsonCodec(z.object({ a: z.string().transform((text) => text.length) }))
    expect(agree(oneWay, Buffer.from('{"a":"xyz"}')).result).toEqual({ a: 3 })
    expect(() => oneWay.encode({ a: 3 })).toThrow(ConfigurationError)
    const date = z.codec(z.iso.datetime(), z.date(), {
      decode: (text) => new Date(text),
      encode: (at) => at.toISOString(),
    })
    const twoWay = jsonCodec(z.object({ at: date, price: fixed8Schema }))
    const text = '{"at":"2024-08-08T12:00:00.000Z","price":"90071992547.40991000"}'
    const { result } = agree(twoWay, Buffer.from(text))
    expect(result).toEqual({ at: new Date(Date.UTC(2024, 7, 8, 12)), price: 9007199254740991000n })
    expect(twoWay.encode(result as z.output<typeof date> & never).toString()).toBe(text)
  })

  test('writes nothing that its schema would refuse', () => {
    const codec = jsonCodec(z.object({ a: z.number(), price: fixed8Schema }))
    for (const value of [
      { a: Number.NaN, price: 1 },
      { a: 1, price: 0.5 },
      { a: 1, price: -1 },
    ]) {
      expect(() => codec.encode({ ...value, price: value.price as Fixed8 })).toThrow(TypeError)
    }
    expect(codec.encode({ a: 1, price: toFixed8(150_000_000) }).toString()).toBe('{"a":1,"price":"1.50000000"}')
  })

  test('passes over a record of which a transform makes undefined', () => {
    expect(
      decode(
        z.int().transform((value) => (value > 3 ? value : undefined)),
        '2',
      ),
    ).toBeUndefined()
  })

  test('does not wait: asynchronous schemas are a mistake of the program', () => {
    for (const schema of [
      z.object({ a: z.string().refine(async () => true) }),
      z.object({ a: z.string() }).transform(async (value) => value),
    ]) {
      expect(() => jsonCodec(schema as z.ZodType).decode(recordOf({ value: Buffer.from('{"a":"x"}') }))).toThrow(
        ConfigurationError,
      )
    }
  })

  test('lets through what a refinement throws', () => {
    const mistake = new TypeError('no such country')
    const schema = z.object({
      a: z.string().refine(() => {
        throw mistake
      }),
    })
    expect(() => jsonCodec(schema).decode(recordOf({ value: Buffer.from('{"a":"x"}') }))).toThrow(mistake)
  })

  test('rejects a value that is nested deeper than a schema can follow', () => {
    const nested = (levels: number) => Buffer.from('['.repeat(levels) + ']'.repeat(levels))
    const tree: z.ZodType<unknown> = z.lazy(() => z.array(tree))
    expect(agree(jsonCodec(tree), nested(20)).result).not.toBeInstanceOf(Rejection)
    expect(reasonOf(agree(jsonCodec(tree), nested(100_000)).result)).toBe('malformed')
  })

  test('does not parse what is nested so deep that a parser would take many times its size', () => {
    const schema = z.object({ id: z.int() })
    const nested = (levels: number) => `{"id":1,"x":${'['.repeat(levels)}${']'.repeat(levels)}}`
    expect(decode(schema, nested(9_000))).toEqual({ id: 1 })
    const before = process.memoryUsage().rss
    for (const text of [nested(20_000), '['.repeat(4 << 20), '{"a":'.repeat(1 << 20)])
      expect(decode(schema, text)).toMatchObject({ reason: 'malformed' })
    expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20)
    expect(decode(schema, `{"id":1,"x":"${'['.repeat(20_000)}"}`)).toEqual({ id: 1 })
  })

  test('follows a schema that has itself in it as far as there is a value', () => {
    const list: z.ZodType = z.object({
      n: z.int(),
      get next() {
        return list.optional()
      },
    })
    expect(jsonCodec(list).slowBecause).toBe('the schema.next is an optional object')
    expect(agree(jsonCodec(list), Buffer.from('{"n":1,"next":{"n":2}}')).result).toEqual({ n: 1, next: { n: 2 } })
    const endless: z.ZodType = z.object({
      get next() {
        return endless
      },
    })
    expect(jsonCodec(endless).slowBecause).toBe('the schema is nested too deep')
    expect(decode(endless, '{"next":{}}')).toBeInstanceOf(Rejection)
  })

  test('lends nothing where somebody has made another codec of it, who would not be asked', () => {
    const codec = jsonCodec(z.object({ a: z.int() }))
    expect(codec.lender).toBeDefined()
    const decode = () => ({ a: 0 })
    for (const other of [{ ...codec, decode }, Object.assign(Object.create(codec), { decode })])
      expect(other.lender).toBeUndefined()
    expect(Object.assign(jsonCodec(z.object({ a: z.int() })), { decode }).lender).toBeUndefined()
  })

  test('lends the columns of its fields, which say of each record what was lent of it', () => {
    const codec = jsonCodec(
      z.object({ a: z.int(), b: z.string(), c: z.boolean(), d: z.number().nullish(), e: z.literal('x') }),
    )
    const before = columnsFound
    agree(codec, Buffer.from('{"a":-0,"b":"é","c":true,"d":null,"e":"x"}'))
    expect(columnsFound - before).toBe(5)
    agree(codec, Buffer.from('{"a":7,"b":"","c":false,"e":"x"}'))
    expect(columnsFound - before).toBe(9)
  })

  test('says how far one object lends: no further than to another set of fields, or to what it does not lend', () => {
    const codec = jsonCodec(z.object({ a: z.int(), b: z.string().nullish() }))
    const values = [
      '{"a":1}',
      '{"a":2}',
      '{"a":3,"b":"x"}',
      '{"a":4,"b":null}',
      '{"a":5',
      '{"a":6}',
      '{"a":7}',
      '{"a":8}',
    ]
    const expected = values.map((value, i) => (i === 4 ? undefined : (JSON.parse(value) as unknown)))
    expect(lendsTogether(codec, values, expected)).toBe(1 + 2 + 1)
  })

  test('lends what can be read and not changed, for it is lent again as the next one', () => {
    const codec = jsonCodec(z.object({ a: z.int(), key: z.string().optional() }))
    const lent = lentOf(codec, Buffer.from('{"a":1}'))
    assert(lent !== undefined)
    expect(() => {
      lent.a = 2
    }).toThrow('a callback reads its value and does not change it, but one sets a: set it in a map above')
    expect(() => {
      lent.key ??= 'one'
    }).toThrow(TypeError)
    expect({ ...lent }).toEqual({ a: 1 })
  })

  test('is not led astray by names that every object inherits', () => {
    expect(decode(z.object({ constructor: z.string().optional() }), '{}')).toBeInstanceOf(Rejection)
    expect(decode(z.object({ a: z.int() }), '{"a":1,"__proto__":{"a":2}}')).toEqual({ a: 1 })
  })
})
