import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { avroCodec } from '../../../src/codecs/avro/avroCodec.ts'
import { orNull } from '../../../src/codecs/orNull.ts'
import { wholeRecord } from '../../../src/codecs/wholeRecord.ts'
import { fixed8Schema } from '../../../src/exact/fixed8Schema.ts'
import type { Rejection } from '../../../src/runtime/log/codec.ts'
import { recordOf } from '../recordOf.ts'
import { decoded, framed, long, refusal } from './avroFrames.ts'
import { MemoryRegistry } from './memoryRegistry.ts'

const orderSchema = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 8 } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'side', type: { type: 'enum', name: 'Side', symbols: ['BUY', 'SELL'] } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    { name: 'by', type: { type: 'map', values: 'double' } },
  ],
}
const order = {
  id: 7,
  price: '61837.63000000',
  at: 1_723_118_400_000,
  side: 'BUY',
  note: null,
  tags: ['a', 'ä'],
  by: { x: 0.1 },
}

/** A codec of the writer's own schema, and its id in the registry. */
function reading(schema: unknown, options: { longs?: 'number' | 'bigint'; schema?: object } = {}) {
  const registry = new MemoryRegistry()
  const id = registry.add(schema)
  return { registry, id, codec: avroCodec({ registry, ...options }) }
}

describe('avroCodec', () => {
  it('writes a zero byte, the id and the body, and reads it again', async () => {
    const registry = new MemoryRegistry()
    registry.add('int')
    const codec = avroCodec({ registry, schema: orderSchema })
    expect(await codec.register('orders-value')).toBe(2)
    const bytes = codec.encode(order)
    expect(bytes.subarray(0, 6)).toEqual(Buffer.from([0, 0, 0, 0, 2, 14]))
    expect(await decoded(codec, bytes)).toEqual(order)
  })

  it('asks the registry once an id, and then has nothing to prepare', async () => {
    const { registry, id, codec } = reading('int')
    const record = recordOf({ value: framed(id, long(5)) })
    expect(codec.prepare(record)).toBeInstanceOf(Promise)
    await codec.prepare(record)
    expect(codec.prepare(record)).toBeUndefined()
    const asked = registry.asked
    expect(codec.decode(record)).toBe(5)
    expect(registry.asked).toBe(asked)
  })

  it('says that it was not prepared, rather than set records aside', () => {
    const { id, codec } = reading('int')
    expect(() => codec.decode(recordOf({ value: framed(id, long(5)) }))).toThrow('await the codec')
  })

  it('rejects an id that the registry does not know, and does not ask again at once', async () => {
    const { registry, codec } = reading('int')
    expect(refusal(await decoded(codec, framed(9, [0])))).toBe('unknown-schema: the registry does not know schema 9')
    const { asked } = registry
    expect(codec.prepare(recordOf({ value: framed(9, [0]) }))).toBeUndefined()
    expect(registry.asked).toBe(asked)
  })

  it('forgets the unknown ids that it met first, once there are more than a thousand', async () => {
    const { registry, codec } = reading('int')
    for (let id = 10; id < 1_011; id += 1) await decoded(codec, framed(id, [0]))
    const { asked } = registry
    expect(codec.prepare(recordOf({ value: framed(1_010, [0]) }))).toBeUndefined()
    await codec.prepare(recordOf({ value: framed(10, [0]) }))
    expect(registry.asked).toBe(asked + 1)
  })

  it.each([
    ['no bytes', Buffer.alloc(0), 'malformed: 0 bytes'],
    ['four bytes', Buffer.alloc(4), 'malformed: 4 bytes'],
    ['another magic', Buffer.from('{"a": 1}'), 'malformed: begins with byte 123'],
    ['id 0', framed(0, [0]), 'malformed: schema id 0'],
    ['a negative id', framed(-1, [0]), 'malformed: schema id -1'],
    ['a byte too many', framed(1, [0, 0]), 'malformed: 1 bytes follow the value'],
    ['no body', framed(1, []), 'malformed: 1 bytes are to follow, and 0 are left'],
  ])('rejects %s', async (_, bytes, detail) => {
    expect(refusal(await decoded(reading('int').codec, bytes))).toContain(detail)
  })

  it('rejects a record without a value, and lets it through as null where told', async () => {
    const { codec } = reading('int')
    const tombstone = recordOf({ value: null })
    expect(codec.prepare(tombstone)).toBeUndefined()
    expect(refusal(codec.decode(tombstone))).toContain('no-value')
    const nullable = orNull(codec)
    expect(nullable.prepare?.(tombstone)).toBeUndefined()
    expect(nullable.decode(tombstone)).toBeNull()
  })

  it('is prepared inside orNull and wholeRecord, for keys as well', async () => {
    const { registry, id, codec } = reading('int')
    const keys = registry.add('string')
    const keyCodec = avroCodec({ registry })
    const whole = wholeRecord(orNull(codec), keyCodec)
    const record = recordOf({ key: framed(keys, [2, 0x6b]), value: framed(id, long(5)) })
    await whole.prepare?.(record)
    expect(whole.decode(record)).toMatchObject({ key: 'k', value: 5 })
    expect(whole.prepare?.(record)).toBeUndefined()
    expect(orNull({ decode: () => 1 }).prepare).toBeUndefined()
    expect(wholeRecord({ decode: () => 1 }).prepare).toBeUndefined()
  })

  it('rejects what the registry has of another kind, or what is no schema', async () => {
    const { registry, codec } = reading('int')
    const protobuf = registry.add('', { type: 'PROTOBUF', schema: 'message A {}' })
    expect(refusal(await decoded(codec, framed(protobuf, [0])))).toContain(
      'incompatible-schema: the registry has a schema of type PROTOBUF',
    )
    const none = registry.add({ type: 'record', name: 'A' })
    expect(refusal(await decoded(codec, framed(none, [0])))).toContain('incompatible-schema: record A has no list')
  })

  it('reads a schema that refers to others', async () => {
    const { registry, codec } = reading('int')
    const references = ['{"type":"enum","name":"e.Side","symbols":["BUY","SELL"]}']
    const id = registry.add({ type: 'record', name: 'A', fields: [{ name: 's', type: 'e.Side' }] }, { references })
    expect(await decoded(codec, framed(id, [2]))).toEqual({ s: 'SELL' })
  })
})

describe('numbers', () => {
  it.each([
    0,
    1,
    -1,
    63,
    64,
    -64,
    -65,
    2 ** 27,
    2 ** 28 - 1,
    -(2 ** 28),
    2 ** 31,
    2 ** 49,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
  ])('reads the long %d', async (value) => {
    const { id, codec } = reading('long')
    expect(await decoded(codec, framed(id, long(value)))).toBe(value)
  })

  it.each([2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)])('never rounds %d', async (value) => {
    const { id, codec } = reading('long')
    expect(refusal(await decoded(codec, framed(id, long(value))))).toContain('inexact-long')
    const wide = reading('long', { longs: 'bigint' })
    expect(await decoded(wide.codec, framed(wide.id, long(value)))).toBe(value)
  })

  it('gives bigints for all longs where told, and for those alone', async () => {
    const { id, codec } = reading(
      {
        type: 'record',
        name: 'A',
        fields: [
          { name: 'l', type: 'long' },
          { name: 'i', type: 'int' },
          { name: 't', type: { type: 'long', logicalType: 'timestamp-micros' } },
        ],
      },
      { longs: 'bigint' },
    )
    expect(await decoded(codec, framed(id, [...long(1), ...long(2), ...long(3)]))).toEqual({ l: 1n, i: 2, t: 3 })
  })

  it('keeps the nanoseconds of a timestamp', async () => {
    const { id, codec } = reading({ type: 'long', logicalType: 'timestamp-nanos' })
    expect(await decoded(codec, framed(id, long(1_723_118_400_123_456_789n)))).toBe(1_723_118_400_123_456_789n)
  })

  it.each([
    ['0.00000001', [2, 1]],
    ['-0.00000001', [2, 0xff]],
    ['0.00000000', [2, 0]],
    ['1.28000000', [8, 0x07, 0xa1, 0x20, 0x00]],
    ['-123456789012.12345678', null],
    ['999999999999.99999999', null],
  ])('keeps every digit of the decimal %s', async (text, body) => {
    const registry = new MemoryRegistry()
    const codec = avroCodec({ registry, schema: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 8 } })
    await codec.register('d')
    const bytes = codec.encode(text)
    if (body !== null) expect([...bytes.subarray(5)]).toEqual(body)
    expect(await decoded(codec, bytes)).toBe(text)
  })

  it('rejects a decimal with more digits than its schema has room for', async () => {
    const { id, codec } = reading({ type: 'bytes', logicalType: 'decimal', precision: 3, scale: 2 })
    expect(refusal(await decoded(codec, framed(id, [4, 0x03, 0xe8])))).toContain('a decimal of 4 digits')
    expect(refusal(await decoded(codec, framed(id, [...long(600), ...Buffer.alloc(600, 1)])))).toContain('600 bytes')
  })

  it('reads decimals and uuids of fixed size', async () => {
    const uuid = reading({ type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' })
    const bytes = Array.from({ length: 16 }, (_, i) => i * 16 + i)
    expect(await decoded(uuid.codec, framed(uuid.id, bytes))).toBe('00112233-4455-6677-8899-aabbccddeeff')
    const decimal = reading({ type: 'fixed', name: 'D', size: 4, logicalType: 'decimal', precision: 9, scale: 2 })
    expect(await decoded(decimal.codec, framed(decimal.id, [0xff, 0xff, 0xff, 0x9c]))).toBe('-1.00')
  })
})

describe('a reader with a schema of its own', () => {
  const record = (...fields: object[]) => ({ type: 'record', name: 'A', fields })
  const a = (type: unknown, more: object = {}) => ({ name: 'a', type, ...more })

  async function evolved(writer: unknown, reader: object, body: number[], longs: 'number' | 'bigint' = 'number') {
    const { id, codec } = reading(writer, { schema: reader, longs })
    return decoded(codec, framed(id, body))
  }

  it('gives the fields in its own order, without those it does not know and with its defaults', async () => {
    const writer = record(
      a('int'),
      { name: 'gone', type: { type: 'array', items: 'string' } },
      { name: 'b', type: 'string' },
    )
    const reader = record(
      { name: 'b', type: 'string' },
      { name: 'n', type: { type: 'map', values: 'long' }, default: { x: 1 } },
      a('long'),
    )
    const value = await evolved(writer, reader, [4, 2, 2, 0x78, 0, 2, 0x79], 'bigint')
    expect(value).toEqual({ b: 'y', n: { x: 1n }, a: 2n })
    expect(Object.keys(value as object)).toEqual(['b', 'n', 'a'])
  })

  it('makes a default anew for each value', async () => {
    const { id, codec } = reading(record(), {
      schema: record({ name: 'l', type: { type: 'array', items: 'int' }, default: [] }),
    })
    const first = (await decoded(codec, framed(id, []))) as unknown as { l: number[] }
    first.l.push(1)
    expect(await decoded(codec, framed(id, []))).toEqual({ l: [] })
  })

  it('finds renamed fields and types by their aliases', async () => {
    const reader = { type: 'record', name: 'B', aliases: ['A'], fields: [{ name: 'b', aliases: ['a'], type: 'int' }] }
    expect(await evolved(record(a('int')), reader, [4])).toEqual({ b: 2 })
  })

  it('does not promote what a number could not hold', async () => {
    expect(await evolved('long', { type: 'double' }, long(2 ** 53 - 1))).toBe(2 ** 53 - 1)
    expect(refusal(await evolved('long', { type: 'double' }, long(2n ** 53n + 1n)))).toContain('inexact-long')
  })

  it.each([
    ['a new field without a default', record(), record(a('int')), 'record A: a is not in what was written'],
    [
      'a type that does not become the other',
      record(a('string')),
      record(a('int')),
      'record A: a: string was written, where int is wanted',
    ],
    [
      'a decimal of another scale',
      { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 },
      { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 3 },
      'bytes (decimal 9, 2) was written, where bytes (decimal 9, 3) is wanted',
    ],
    [
      'a timestamp of another unit',
      { type: 'long', logicalType: 'timestamp-millis' },
      { type: 'long', logicalType: 'timestamp-micros' },
      'timestamp-millis',
    ],
  ])('rejects %s', async (_, writer, reader, detail) => {
    const value = refusal(await evolved(writer, reader, [0]))
    expect(value).toContain('incompatible-schema')
    expect(value).toContain(detail)
  })

  it('rejects only the records that have the branch or the symbol that it lacks', async () => {
    expect(await evolved(['null', 'string'], { type: 'string' }, [2, 2, 0x78])).toBe('x')
    expect(refusal(await evolved(['null', 'string'], { type: 'string' }, [0]))).toContain(
      'incompatible-schema: null was written',
    )
    const symbols = (...list: string[]) => ({ type: 'enum', name: 'E', symbols: list })
    expect(await evolved(symbols('A', 'B'), symbols('B'), [2])).toBe('B')
    expect(refusal(await evolved(symbols('A', 'B'), symbols('B'), [0]))).toContain('has no symbol A')
    expect(await evolved(symbols('A', 'B'), { ...symbols('B'), default: 'B' }, [0])).toBe('B')
  })

  it('reads a record that is its own part, and tells where one of two that contain each other does not fit', async () => {
    const list = record(a(['null', 'A']))
    expect(await evolved(list, list, [2, 2, 0])).toEqual({ a: { a: { a: null } } })
    const knot = (inner: unknown) => ({
      type: 'record',
      name: 'A',
      fields: [
        { name: 'b', type: ['null', { type: 'record', name: 'B', fields: [{ name: 'a', type: ['null', 'A'] }] }] },
        { name: 'x', type: inner },
      ],
    })
    const whole = (inner: unknown) => ({
      type: 'record',
      name: 'R',
      fields: [
        { name: 'a', type: ['null', knot(inner)] },
        { name: 'b', type: ['null', 'B'] },
      ],
    })
    // R.b holds a B without an A, which is read, and one with an A, which does not fit.
    expect(await evolved(whole('int'), whole('string'), [0, 2, 0])).toEqual({ a: null, b: { a: null } })
    expect(refusal(await evolved(whole('int'), whole('string'), [0, 2, 2, 0, 2]))).toContain(
      'incompatible-schema: record A: x: int was written, where string is wanted',
    )
  })

  it('is refused with a schema that is none', () => {
    const registry = new MemoryRegistry()
    const make = (schema: object | string) => () => avroCodec({ registry, schema })
    expect(make('{')).toThrow('not JSON')
    expect(make({ type: 'strange' })).toThrow('no type "strange"')
    expect(make(record(a(['int', 'int'])))).toThrow('two branches int')
    expect(make(record(a('int', { default: 'x' })))).toThrow('a default that is no int')
    expect(make(record({ name: '__proto__', type: 'int' }))).toThrow('__proto__')
    let deep: object = { type: 'array', items: 'int' }
    for (let level = 0; level < 100; level += 1) deep = { type: 'array', items: deep }
    expect(make(deep)).toThrow('64 levels')
  })
})

describe('with a zod schema', () => {
  const zod = z.object({ id: z.int(), name: z.string().min(1) })
  const schema = {
    type: 'record',
    name: 'A',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'name', type: 'string' },
    ],
  }

  it('gives what the schema gives and rejects what does not fit, both ways', async () => {
    const codec = avroCodec({ registry: new MemoryRegistry(), schema, zod })
    await codec.register('a')
    const value: { id: number; name: string } | Rejection = await decoded(codec, codec.encode({ id: 1, name: 'n' }))
    expect(value).toEqual({ id: 1, name: 'n' })
    const nameless = await decoded(codec, framed(1, [2, 0]))
    expect(refusal(nameless)).toMatch(/^malformed: name: Too small/)
    expect(() => codec.encode({ id: 1, name: '' })).toThrow(TypeError)
  })

  it('makes exact fixed points of decimals, and decimals of them', async () => {
    const prices = avroCodec({
      registry: new MemoryRegistry(),
      schema: {
        type: 'record',
        name: 'P',
        fields: [{ name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 8 } }],
      },
      zod: z.object({ price: fixed8Schema }),
    })
    await prices.register('p')
    const price = fixed8Schema.parse('61837.63000001')
    expect(await decoded(prices, prices.encode({ price }))).toEqual({ price })
  })

  it('refuses to write through a transform', async () => {
    const codec = avroCodec({ registry: new MemoryRegistry(), schema, zod: zod.transform(({ id }) => id) })
    await codec.register('a')
    expect(await decoded(codec, framed(1, [2, 2, 0x6e]))).toBe(1)
    expect(() => codec.encode(1)).toThrow('z.codec')
  })
})

describe('writing', () => {
  it('needs a schema and its id', async () => {
    const registry = new MemoryRegistry()
    expect(() => avroCodec({ registry }).encode(1)).toThrow('needs a schema')
    expect(() => avroCodec({ registry, schema: 'int' }).encode(1)).toThrow("await codec.register('…-value')")
    expect(avroCodec({ registry, schema: 'int', schemaId: 300 }).encode(1)).toEqual(framed(300, [2]))
    expect(() => avroCodec({ registry, schemaId: 0 })).toThrow('schemaId')
    await expect(avroCodec({ registry }).register('a')).rejects.toThrow('no schema')
    const { schemaById } = registry
    await expect(avroCodec({ registry: { schemaById }, schema: 'int' }).register('a')).rejects.toThrow('give schemaId')
  })

  it.each([
    ['a number that is no int', { type: 'int' }, 2 ** 31],
    ['a fraction', { type: 'long' }, 0.5],
    ['a number that is no exact long', { type: 'long' }, 2 ** 53],
    ['a float that would be rounded', { type: 'float' }, 0.1],
    ['half a surrogate pair', { type: 'string' }, '\ud800'],
    ['a decimal of too many places', { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 }, '1.001'],
    ['a decimal of too many digits', { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 }, '1000.00'],
    ['a number where a decimal is text', { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 }, 1],
    ['a symbol that is none', { type: 'enum', name: 'E', symbols: ['A'] }, 'B'],
    ['a missing field', { type: 'record', name: 'A', fields: [{ name: 'a', type: 'int' }] }, {}],
    ['a field too many', { type: 'record', name: 'A', fields: [] }, { secret: 1 }],
    ['no branch of a union', ['null', 'int'], 'secret'],
  ])('refuses %s, without the value in the message', (_, schema, value) => {
    const codec = avroCodec({ registry: new MemoryRegistry(), schema, schemaId: 1 })
    const encode = () => codec.encode(value as never)
    expect(encode).toThrow(TypeError)
    expect(encode).not.toThrow('secret')
  })

  it('takes the first branch of a union that holds the value exactly', async () => {
    const codec = avroCodec({
      registry: new MemoryRegistry(),
      schema: ['null', 'float', 'double', 'string'],
      schemaId: 1,
    })
    expect(codec.encode(null)[5]).toBe(0)
    expect(codec.encode(0.5)[5]).toBe(2)
    expect(codec.encode(0.1)[5]).toBe(4)
    expect(codec.encode('x')[5]).toBe(6)
  })
})
