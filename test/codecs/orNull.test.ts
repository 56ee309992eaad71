import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { orNull } from '../../src/codecs/orNull.ts'
import { recordOf } from './recordOf.ts'

describe('orNull', () => {
  const codec = orNull(jsonCodec(z.object({ a: z.int() })))

  test('gives null for a tombstone and makes a tombstone of null', () => {
    expect(codec.decode(recordOf({ value: null }))).toBeNull()
    expect(codec.encode(null)).toBeNull()
  })

  test('leaves everything else to the codec, and what was found out about the bytes', () => {
    const facts = { isJsonObject: false }
    expect(codec.decode(recordOf({ value: Buffer.from('{"a":1}') }), facts)).toEqual({ a: 1 })
    expect(facts.isJsonObject).toBe(true)
    expect(codec.decode(recordOf({ value: Buffer.from('null') }))).toMatchObject({ reason: 'malformed' })
    expect(codec.decode(recordOf({ value: Buffer.alloc(0) }))).toMatchObject({ reason: 'not-json' })
    expect(codec.encode({ a: 1 })).toEqual(Buffer.from('{"a":1}'))
  })

  test('has no way back where the codec has none', () => {
    expect(orNull({ decode: () => 1 })).not.toHaveProperty('encode')
  })
})
