import { describe, expect, test } from 'vitest'
import { bytesCodec } from '../../src/codecs/bytesCodec.ts'
import { recordOf } from './recordOf.ts'

describe('bytesCodec', () => {
  const codec = bytesCodec()

  test('gives a copy, which outlives the batch', () => {
    const record = recordOf({ value: Buffer.from([0, 0xff, 1]) })
    const bytes = codec.decode(record)
    record.buffer.fill(0)
    expect(bytes).toEqual(Buffer.from([0, 0xff, 1]))
  })

  test('tells no bytes from no value', () => {
    expect(codec.decode(recordOf({ value: Buffer.alloc(0) }))).toEqual(Buffer.alloc(0))
    expect(codec.decode(recordOf({ value: null }))).toMatchObject({ reason: 'no-value' })
  })

  test('writes bytes as they are', () => {
    expect(codec.encode(Uint8Array.of(0, 0xff))).toEqual(Uint8Array.of(0, 0xff))
  })
})
