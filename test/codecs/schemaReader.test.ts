import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type ObjectPlan, planOf } from '../../src/codecs/schemaPlan.ts'
import { SchemaReader } from '../../src/codecs/schemaReader.ts'
import { fixed8Schema } from '../../src/exact/fixed8Schema.ts'

const schema = z.object({
  kind: z.literal('order'),
  version: z.literal(2),
  id: z.int().min(-5).lt(1_000_000),
  note: z.string().optional(),
  code: z.string().regex(/^[a-z]+$/),
  inner: z.object({ isOpen: z.boolean(), amount: fixed8Schema, big: z.int().optional() }),
  gone: z.never().optional(),
})

/** A reader and the object that is in its slots; undefined where it does not know. */
function readerOf(given: z.ZodType) {
  const reader = new SchemaReader(given)
  const plan = planOf(given)
  const frameOf = (of: ObjectPlan, path: string): object =>
    Object.fromEntries(
      [...of.fields.values()].flatMap(({ name, isOptional, value }) => {
        if (value === null) return []
        if (value.kind === 'object') return [[name, frameOf(value, `${path}${name}.`)]]
        if (value.kind === 'literal') return [[name, JSON.parse(value.json)]]
        const slot = reader.slot(path + name)
        if (isOptional && !reader.has(slot)) return []
        return [[name, reader.isNull(slot) ? null : reader.value(value)]]
      }),
    )
  const known = (is: boolean) => (is && typeof plan !== 'string' ? frameOf(plan.root, '') : undefined)
  const readKnown = (buffer: Buffer) => known(reader.readKnown(buffer, 0, buffer.length))
  const learn = (buffer: Buffer) => known(reader.learn(buffer, 0, buffer.length))
  const read = (text: string) => readKnown(Buffer.from(text)) ?? learn(Buffer.from(text))
  return { reader, readKnown, learn, read }
}

const plain = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? `${item}n` : item)))

describe('SchemaReader', () => {
  test('reads any object of its schema, or nothing at all, as zod does', () => {
    const { reader, read } = readerOf(schema)
    expect(reader.unsupported).toBeNull()
    let hits = 0
    const maybe = <T>(value: fc.Arbitrary<T>) =>
      fc.oneof({ weight: 20, arbitrary: value }, { weight: 1, arbitrary: fc.jsonValue() })
    const value = fc.record(
      {
        kind: maybe(fc.constant('order')),
        version: maybe(fc.constant(2)),
        id: maybe(fc.integer({ min: -6, max: 1_000_001 })),
        note: fc.string({ unit: 'binary' }),
        code: maybe(fc.stringMatching(/^[a-z]{1,80}$/)),
        inner: maybe(
          fc.record(
            {
              isOpen: maybe(fc.boolean()),
              amount: maybe(fc.stringMatching(/^[0-9]{1,19}(\.[0-9]{1,9})?$/)),
              big: fc.maxSafeInteger(),
            },
            { requiredKeys: ['isOpen', 'amount'] },
          ),
        ),
        extra: fc.jsonValue(),
      },
      { requiredKeys: ['kind', 'version', 'id', 'code', 'inner'] },
    )
    fc.assert(
      fc.property(value, (candidate) => {
        const text = JSON.stringify(candidate)
        const frame = read(text)
        const parsed = schema.safeParse(JSON.parse(text))
        if (frame === undefined) return
        hits += 1
        expect(parsed.success).toBe(true)
        expect(plain(frame)).toEqual(plain(parsed.data))
      }),
      { numRuns: 5_000 },
    )
    expect(hits).toBeGreaterThan(300)
  })

  test('knows an order of fields after it has learnt it', () => {
    const { readKnown, learn } = readerOf(z.object({ a: z.int(), b: z.boolean() }))
    const frame = Buffer.from('{"b":true,"a":7}')
    expect(readKnown(frame)).toBeUndefined()
    expect(learn(frame)).toEqual({ a: 7, b: true })
    expect(readKnown(frame)).toEqual({ a: 7, b: true })
    expect(readKnown(Buffer.from('{"b":true,"a":71}').subarray(0, 16))).toBeUndefined()
  })

  test('takes ints to the last safe one and none beyond', () => {
    const { read } = readerOf(z.object({ a: z.int() }))
    expect(read('{"a":7}')).toEqual({ a: 7 })
    expect(read('{"a":\0\0\0\0\0\0\0\0}')).toBeUndefined()
    expect(read('{"a":9007199254740991}')).toEqual({ a: Number.MAX_SAFE_INTEGER })
    expect(read('{"a":0}')).toEqual({ a: 0 })
    expect(read('{"a":0000000012345678}')).toBeUndefined()
    expect(read('{"a":00000000}')).toBeUndefined()
    for (const text of [
      '9007199254740992',
      '9999999999999999',
      '10000000000000000',
      '-9007199254740992',
      '1.5',
      '1.0',
      '1e3',
      '',
      '12345678x',
    ]) {
      expect(read(`{"a":${text}}`)).toBeUndefined()
    }
    expect(read('{"a":-9007199254740991}')).toEqual({ a: Number.MIN_SAFE_INTEGER })
    expect(read('{"a":-0}')).toEqual({ a: -0 })
    for (let digits = 1; digits <= 15; digits += 1) {
      const value = Number('987654321987654'.slice(0, digits))
      expect(read(`{"a":${value}}`)).toEqual({ a: value })
    }
  })

  test('takes every finite number, to the last bit', () => {
    const { read } = readerOf(z.object({ a: z.number() }))
    const decimal = fc.tuple(fc.stringMatching(/^-?(0|[1-9][0-9]{0,18})$/), fc.stringMatching(/^([.][0-9]{1,18})?$/))
    const text = fc.oneof(
      decimal.map(([integer, fraction]) => integer + fraction),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    )
    fc.assert(
      fc.property(text, (written) => {
        expect(read(`{"a":${written}}`)).toEqual({ a: JSON.parse(written) })
      }),
    )
    for (const refused of ['1e999', '-1e999', '.5', '5.', '05', '-', '--5', '0x5', '5e', '1.2.3', 'NaN', '"5"', '']) {
      expect(read(`{"a":${refused}}`)).toBeUndefined()
    }
  })

  test('holds numbers to their bounds, to the last bit', () => {
    const { read } = readerOf(z.object({ a: z.number().gt(0).lt(0.3), b: z.number().min(-0.3).max(0) }))
    const a = (written: string) => read(`{"a":${written},"b":0}`)
    const b = (written: string) => read(`{"a":0.1,"b":${written}}`)
    for (const taken of ['5e-324', '0.1', '0.29999999999999993']) expect(a(taken)).toEqual({ a: Number(taken), b: 0 })
    for (const refused of ['0', '-0', '-5e-324', '0.3', '0.30000000000000004']) expect(a(refused)).toBeUndefined()
    for (const taken of ['-0.3', '-0.1', '0', '-0']) expect(b(taken)).toEqual({ a: 0.1, b: Number(taken) })
    for (const refused of ['5e-324', '-0.30000000000000004']) expect(b(refused)).toBeUndefined()
  })

  test('takes null where a field may be null, one of the texts of an enum, and no unknown field of a strict object', () => {
    const { read } = readerOf(
      z.strictObject({ a: z.string().nullable(), b: z.int().nullish(), side: z.enum(['buy', 'sell']) }),
    )
    expect(read('{"a":null,"b":null,"side":"buy"}')).toEqual({ a: null, b: null, side: 'buy' })
    expect(read('{"a":"null","side":"sell"}')).toEqual({ a: 'null', side: 'sell' })
    for (const refused of [
      '{"side":"buy"}',
      '{"a":null,"side":"hold"}',
      '{"a":null,"side":null}',
      '{"a":null,"side":"buy","c":1}',
    ]) {
      expect(read(refused)).toBeUndefined()
    }
  })

  test('takes an object without fields where all of its fields are optional', () => {
    const { read } = readerOf(z.object({ a: z.int().optional(), b: z.object({}) }))
    expect(read('{"b":{}}')).toEqual({ b: {} })
    expect(read('{"b":{"c":{}}}')).toEqual({ b: {} })
    for (const refused of ['{}', '{"b":{', '{"b":{}', '{', '{"b":{},}']) expect(read(refused)).toBeUndefined()
  })

  test('says which part of a schema it cannot follow, and reads nothing by it', () => {
    for (const [refused, path] of [
      [z.object({ a: z.number().multipleOf(5) }), 'the schema.a'],
      [z.object({ a: z.float32() }), 'the schema.a'],
      [z.object({ a: z.number().min(Number.NEGATIVE_INFINITY) }), 'the schema.a'],
      [z.object({ a: z.coerce.number() }), 'the schema.a'],
      [z.object({ a: z.int().multipleOf(5) }), 'the schema.a'],
      [z.object({ a: z.object({ b: z.array(z.int()) }) }), 'the schema.a.b'],
      [z.object({ a: z.union([z.int(), z.boolean()]) }), 'the schema.a'],
      [z.object({ a: z.coerce.boolean() }), 'the schema.a'],
      [z.object({ a: z.enum({ X: 1, Y: 2 }) }), 'the schema.a'],
      [z.object({ a: z.literal(Number.NaN) }), 'the schema.a'],
      [z.object({ a: z.literal(5).nullable() }), 'the schema.a'],
      [z.object({ a: z.object({}).nullable() }), 'the schema.a'],
      [
        z.object({
          a: z
            .int()
            .optional()
            .refine(() => true),
        }),
        'the schema.a',
      ],
      [z.object({ toString: z.string().optional() }), 'the schema.toString'],
      [z.looseObject({ a: z.int() }), 'the schema'],
      [z.object({ a: z.int() }).refine(() => true), 'the schema'],
      [z.object({ a: z.int() }).transform((value) => value.a), 'the schema'],
      [z.array(z.int()), 'the schema'],
    ] as const) {
      const { reader, read } = readerOf(refused)
      expect(reader.unsupported).toContain(path)
      expect(read('{"a":5}')).toBeUndefined()
    }
  })

  test('has a slot for each value and none for anything else', () => {
    const { reader } = readerOf(schema)
    expect(
      new Set(['id', 'note', 'code', 'inner.isOpen', 'inner.amount', 'inner.big'].map((path) => reader.slot(path)))
        .size,
    ).toBe(6)
    for (const path of ['', 'kind', 'gone', 'inner', 'inner.none', 'id.x', 'none'])
      expect(() => reader.slot(path)).toThrow(RangeError)
  })

  test('learns orders less often where they hardly come again, and again at once where they do', () => {
    const { readKnown, learn } = readerOf(z.object({ a: z.int() }))
    let frames = 0
    const isLearnt = () => {
      frames += 1
      const frame = Buffer.from(`{"x${frames}":1,"a":${frames}}`)
      return readKnown(frame) === undefined && learn(frame) !== undefined
    }
    const learntOf = (count: number) => Array.from({ length: count }, isLearnt).filter((is) => is).length
    expect(learntOf(100)).toBe(100)
    learntOf(400)
    expect(learntOf(160)).toBe(10)
    const usual = Buffer.from('{"a":7}')
    while (readKnown(usual) === undefined) learn(usual)
    for (let n = 0; n < 1_000; n += 1) expect(readKnown(usual)).toEqual({ a: 7 })
    expect(learntOf(100)).toBe(100)
  })
})
