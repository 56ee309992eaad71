import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { bytesCodec } from '../../src/codecs/bytesCodec.ts'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { orNull } from '../../src/codecs/orNull.ts'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { wholeRecord } from '../../src/codecs/wholeRecord.ts'
import { recordOf } from './recordOf.ts'

describe('wholeRecord', () => {
  const value = Buffer.from('{"a":1}')
  const json = jsonCodec(z.object({ a: z.int() }))

  test('gives all that a record holds, and nothing that the next batch overwrites', () => {
    const headers = [
      { key: 'trace', value: Buffer.from([0xff]) },
      { key: 'trace', value: null },
    ]
    const record = recordOf({ key: Buffer.from([0, 0xfe]), value, headers })
    const whole = wholeRecord(json).decode(record)
    record.buffer.fill(0)
    expect(whole).toEqual({
      key: Buffer.from([0, 0xfe]),
      value: { a: 1 },
      headers,
      offset: 7,
      timestamp: 1_723_118_400_000,
    })
  })

  test('reads the key by a codec of its own, from whatever is in the key', () => {
    const codec = wholeRecord(textCodec(), json)
    expect(codec.decode(recordOf({ key: value, value: Buffer.from('x') }))).toMatchObject({ key: { a: 1 }, value: 'x' })
    expect(codec.decode(recordOf({ key: Buffer.from('{'), value: Buffer.from('x') }))).toMatchObject({
      reason: 'not-json',
      detail: 'key: not JSON, 1 bytes',
    })
  })

  test('says of the value what its codec says, and what it found out about the bytes', () => {
    const facts = { isJsonObject: false }
    expect(wholeRecord(json).decode(recordOf({ value }), facts)).toMatchObject({
      key: null,
      value: { a: 1 },
      headers: [],
    })
    expect(facts.isJsonObject).toBe(true)
    expect(wholeRecord(json).decode(recordOf({ value: Buffer.from('7') }))).toMatchObject({ reason: 'malformed' })
    const keyFacts = { isJsonObject: false }
    wholeRecord(textCodec(), json).decode(recordOf({ key: value, value: Buffer.from('x') }), keyFacts)
    expect(keyFacts.isJsonObject).toBe(false)
  })

  test('lets tombstones and records without a key through where the codecs do', () => {
    const strict = wholeRecord(json, textCodec())
    const open = wholeRecord(orNull(json), orNull(textCodec()))
    const tombstone = recordOf({ key: Buffer.from('k'), value: null })
    const keyless = recordOf({ key: null, value })
    expect(open.decode(tombstone)).toMatchObject({ key: 'k', value: null })
    expect(open.decode(keyless)).toMatchObject({ key: null, value: { a: 1 } })
    expect(strict.decode(tombstone)).toMatchObject({ reason: 'no-value', detail: 'null where bytes were expected' })
    expect(strict.decode(keyless)).toMatchObject({ reason: 'no-value', detail: 'key: null where bytes were expected' })
  })

  test('passes over what either codec passes over', () => {
    const nothing = { decode: () => undefined }
    expect(wholeRecord(nothing, bytesCodec()).decode(recordOf({ value }))).toBeUndefined()
    expect(wholeRecord(bytesCodec(), nothing).decode(recordOf({ value }))).toBeUndefined()
  })
})
