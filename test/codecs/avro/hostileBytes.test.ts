import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avroCodec } from '../../../src/codecs/avro/avroCodec.ts'
import { Rejection } from '../../../src/runtime/log/codec.ts'
import { recordOf } from '../recordOf.ts'
import { decoded, framed, long, refusal } from './avroFrames.ts'
import { MemoryRegistry } from './memoryRegistry.ts'
import { schemaAndValue } from './randomAvro.ts'

const list = (items: unknown) => ({ type: 'array', items })
const record = (name: string, ...fields: unknown[]) => ({
  type: 'record',
  name,
  fields: fields.map((type, i) => ({ name: `f${i}`, type })),
})
const huge = long(2n ** 62n)
/** 2^40 values of no bytes, of a schema of 40 records each of which holds the next twice. */
const doubling = Array.from({ length: 40 }).reduce<unknown>(
  (inner, _, i) => record(`D${i}`, inner, i === 0 ? 'null' : `D${i - 1}`),
  'null',
)

/** Schema, body and a part of what is said. */
const attacks: readonly (readonly [string, unknown, readonly number[], string])[] = [
  [
    'a string longer than the record',
    'string',
    [...long(100), 1],
    'malformed: 100 bytes are to follow, and 1 are left',
  ],
  ['a string of 2^62 bytes', 'string', huge, 'malformed'],
  ['bytes of a negative length', 'bytes', long(-1), 'malformed: a length of -1'],
  ['an array of 2^30 strings', list('string'), long(2 ** 30), 'malformed'],
  ['an array of 2^62 strings', list('string'), huge, 'malformed: a block of'],
  ['an array of 2^50 nulls', list('null'), long(2 ** 50), 'malformed: more than 10000 values that take no bytes'],
  ['an array of 2^50 empty records', list(record('R')), long(2 ** 50), 'malformed: more than 10000 values'],
  [
    '2^50 nulls in a block of negative count',
    list('null'),
    [...long(-(2 ** 50)), ...long(0)],
    'malformed: more than 10000',
  ],
  ['a block of the most negative count', list('int'), [...long(-(2n ** 63n)), ...long(0)], 'malformed: a block of'],
  ['a block of negative size', list('int'), [...long(-1), ...long(-5), 0, 0], 'malformed: a length of -5'],
  ['a block larger than the record', list('int'), [...long(-1), ...long(500), 0, 0], 'malformed: 500 bytes'],
  ['a branch that is none', ['null', 'int'], long(7), 'malformed: branch 7, of 2'],
  ['a negative branch', ['null', 'int'], long(-1), 'malformed: branch -1, of 2'],
  ['a symbol that is none', { type: 'enum', name: 'E', symbols: ['A'] }, long(1), 'malformed: symbol 1, of 1'],
  ['a boolean of 2', 'boolean', [2], 'malformed: a boolean is byte 2'],
  ['text that is not UTF-8', 'string', [2, 0xff], 'malformed: a string of 1 bytes that are not UTF-8'],
  ['an int of 33 bits', 'int', long(2 ** 31), 'malformed: an int of more than 32 bits'],
  ['an int of 63 bits', 'int', huge, 'malformed: an int of more than 32 bits'],
  ['a branch of 63 bits', ['null', 'int'], huge, 'malformed: branch 4611686018427387904, of 2'],
  ['a long of eleven bytes', 'long', Array(11).fill(0xff), 'malformed: a long of more than 64 bits'],
  ['a long without an end', 'long', Array(6).fill(0x80), 'malformed'],
  [
    'a list nested without end',
    record('N', ['null', 'N']),
    Array(100_000).fill(2),
    'malformed: nested deeper than 64 levels',
  ],
  ['2^40 values of no bytes', doubling, [], 'malformed: more than 10000 values'],
  ['a record that holds itself', record('S', 'S'), [], 'malformed: nested deeper than 64 levels'],
]

describe('bytes that mean harm', () => {
  it.each(attacks)('rejects %s', async (_, schema, body, detail) => {
    const registry = new MemoryRegistry()
    const id = registry.add(schema)
    const started = performance.now()
    expect(refusal(await decoded(avroCodec({ registry }), framed(id, body)))).toContain(detail)
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it.each(attacks)('rejects %s where the reader does not want the field', async (_, schema, body) => {
    const registry = new MemoryRegistry()
    const id = registry.add(record('Outer', schema))
    const started = performance.now()
    const value = await decoded(avroCodec({ registry, schema: record('Outer') }), framed(id, body))
    // What is not read need not be right, as long as it has an end where the record has.
    if (value instanceof Rejection) expect(value.reason).toBe('malformed')
    else expect(value).toEqual({})
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('never throws, reads past the record or keeps bytes of its buffer, whatever is done to a frame', async () => {
    let rejected = 0
    const edit = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(
        schemaAndValue,
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        async ({ schema, value }, edits) => {
          const registry = new MemoryRegistry()
          const id = registry.add(schema)
          const codec = avroCodec({ registry, schema: schema as object, schemaId: id })
          let bytes = codec.encode(value as never)
          for (const { at, byte, cut } of edits) {
            const place = 5 + (at % Math.max(bytes.length - 5, 1))
            if (cut) bytes = bytes.subarray(0, place)
            else if (place < bytes.length) bytes[place] = byte
          }
          const record = recordOf({ value: bytes })
          await codec.prepare(record)
          const read = codec.decode(record)
          if (read instanceof Rejection) {
            rejected += 1
            expect(['malformed', 'inexact-long']).toContain(read.reason)
            return
          }
          const before = structuredClone(read)
          record.buffer.fill(0xaa)
          expect(structuredClone(read)).toEqual(before)
        },
      ),
      { numRuns: 3_000 },
    )
    expect(rejected).toBeGreaterThan(500)
  })

  it.each([
    ['a schema of 20,000 types', Array.from({ length: 20_000 }, (_, i) => ({ type: 'fixed', name: `F${i}`, size: 1 }))],
    [
      'a schema nested a thousand levels deep',
      JSON.parse(`${'{"type":"array","items":'.repeat(1_000)}"int"${'}'.repeat(1_000)}`),
    ],
    ['a fixed of 2^40 bytes', { type: 'fixed', name: 'F', size: 2 ** 40 }],
    ['a record whose fields are no list', { type: 'record', name: 'R', fields: 'x' }],
  ])('takes no harm from %s in the registry', async (_, schema) => {
    const registry = new MemoryRegistry()
    const id = registry.add(schema)
    expect(refusal(await decoded(avroCodec({ registry }), framed(id, [0])))).toContain('incompatible-schema')
  })
})
