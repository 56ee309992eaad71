import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { INVALID, SchemaReader } from '../../src/codecs/schemaReader.ts'
import { fixed8Schema } from '../../src/market/fixed8Schema.ts'

const schema = z.object({
  kind: z.literal('order'),
  version: z.literal(2),
  id: z.int().min(-5).lt(1_000_000),
  note: z.string().optional(),
  code: z.string().regex(/^[a-z]+$/),
  inner: z.object({ isOpen: z.boolean(), amount: fixed8Schema, big: z.int().optional() }),
  gone: z.never().optional(),
})

function read<V>(reader: SchemaReader<V>, text: string): V | INVALID {
  const buffer = Buffer.from(text)
  const known = reader.readKnown(buffer, 0, buffer.length)
  return known === INVALID ? reader.learn(buffer, 0, buffer.length) : known
}

const plain = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? `${item}n` : item)))

describe('SchemaReader', () => {
  test('reads any object of its schema, or nothing at all, as zod does', () => {
    const reader = new SchemaReader(schema)
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
        const frame = read(reader, text)
        const parsed = schema.safeParse(JSON.parse(text))
        if (frame === INVALID) return
        hits += 1
        expect(parsed.success).toBe(true)
        expect(plain(frame)).toEqual(plain(parsed.data))
      }),
      { numRuns: 5_000 },
    )
    expect(hits).toBeGreaterThan(300)
  })

  test('knows an order of fields after it has learnt it', () => {
    const reader = new SchemaReader(z.object({ a: z.int(), b: z.boolean() }))
    const frame = Buffer.from('{"b":true,"a":7}')
    expect(reader.readKnown(frame, 0, frame.length)).toBe(INVALID)
    expect(reader.learn(frame, 0, frame.length)).toEqual({ a: 7, b: true })
    expect(reader.readKnown(frame, 0, frame.length)).toEqual({ a: 7, b: true })
    const torn = Buffer.from('{"b":true,"a":71}').subarray(0, 16)
    expect(reader.readKnown(torn, 0, torn.length)).toBe(INVALID)
  })

  test('takes ints to the last safe one and none beyond', () => {
    const reader = new SchemaReader(z.object({ a: z.int() }))
    expect(read(reader, '{"a":7}')).toEqual({ a: 7 })
    expect(read(reader, '{"a":\0\0\0\0\0\0\0\0}')).toBe(INVALID)
    expect(read(reader, '{"a":9007199254740991}')).toEqual({ a: Number.MAX_SAFE_INTEGER })
    expect(read(reader, '{"a":0}')).toEqual({ a: 0 })
    expect(read(reader, '{"a":0000000012345678}')).toBe(INVALID)
    expect(read(reader, '{"a":00000000}')).toBe(INVALID)
    for (const text of [
      '9007199254740992',
      '9999999999999999',
      '10000000000000000',
      '-1',
      '1.0',
      '1e3',
      '',
      '12345678x',
    ]) {
      expect(read(reader, `{"a":${text}}`)).toBe(INVALID)
    }
    for (let digits = 1; digits <= 15; digits += 1) {
      const value = Number('987654321987654'.slice(0, digits))
      expect(read(reader, `{"a":${value}}`)).toEqual({ a: value })
    }
  })

  test('says which part of a schema it cannot follow, and reads nothing by it', () => {
    for (const [refused, path] of [
      [z.object({ a: z.number() }), 'the schema.a'],
      [z.object({ a: z.int().multipleOf(5) }), 'the schema.a'],
      [z.object({ a: z.object({ b: z.array(z.int()) }) }), 'the schema.a.b'],
      [z.object({ a: z.union([z.int(), z.boolean()]) }), 'the schema.a'],
      [z.object({ a: z.coerce.boolean() }), 'the schema.a'],
      [z.object({ a: z.enum(['x', 'y']) }), 'the schema.a'],
      [z.strictObject({ a: z.int() }), 'the schema'],
      [z.object({ a: z.int() }).refine(() => true), 'the schema'],
      [z.object({ a: z.int() }).transform((value) => value.a), 'the schema'],
      [z.array(z.int()), 'the schema'],
    ] as const) {
      const reader = new SchemaReader<unknown>(refused)
      expect(reader.unsupported).toContain(path)
      expect(read(reader, '{"a":5}')).toBe(INVALID)
    }
  })
})
