import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avroCodec } from '../../../src/codecs/avro/avroCodec.ts'
import { Rejection } from '../../../src/runtime/log/codec.ts'
import { decoded, framed } from './avroFrames.ts'
import { MemoryRegistry } from './memoryRegistry.ts'
import { evolution, schemaAndValue } from './randomAvro.ts'

/** The other implementation's view of a schema. Its unions are bare values, as ours are. */
function avscType(schema: unknown): avsc.Type {
  return avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: 'never' })
}

/** Free of the other implementation's classes. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
}

describe('beside avsc, with random schemas', () => {
  it('writes the same bytes, and each reads what the other wrote', async () => {
    await fc.assert(
      fc.asyncProperty(schemaAndValue, async ({ schema, value }) => {
        const registry = new MemoryRegistry()
        const id = registry.add(schema)
        const codec = avroCodec({ registry, schema: schema as object, schemaId: id })
        const type = avscType(schema)
        const theirs = type.toBuffer(value)
        const ours = codec.encode(value as never)
        expect(ours).toEqual(framed(id, theirs))
        expect(plain(await decoded(codec, framed(id, theirs)))).toEqual(plain(value))
        expect(plain(type.fromBuffer(ours.subarray(5)))).toEqual(plain(value))
      }),
      { numRuns: 1_500 },
    )
  })

  it('reads what another version of the schema wrote as avsc does, or refuses where it does', async () => {
    let read = 0
    let refused = 0
    await fc.assert(
      fc.asyncProperty(evolution, async ({ writer, reader, value }) => {
        const registry = new MemoryRegistry()
        const id = registry.add(writer)
        const codec = avroCodec({ registry, schema: reader as object })
        const writerType = avscType(writer)
        const body = writerType.toBuffer(value)
        const ours = await decoded(codec, framed(id, body))
        let theirs: unknown
        try {
          const readerType = avscType(reader)
          theirs = readerType.fromBuffer(body, readerType.createResolver(writerType))
        } catch {
          refused += 1
          // Only avsc refuses a whole schema for a branch or a symbol that the value does not have.
          if (ours instanceof Rejection) expect(ours.reason).toBe('incompatible-schema')
          return
        }
        read += 1
        expect(plain(ours)).toEqual(plain(theirs))
      }),
      { numRuns: 3_000 },
    )
    expect(read).toBeGreaterThan(100)
    expect(refused).toBeGreaterThan(100)
  })
})
