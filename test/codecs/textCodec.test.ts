import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { Rejection } from '../../src/runtime/log/codec.ts'
import { recordOf } from './recordOf.ts'

describe('textCodec', () => {
  const codec = textCodec()
  const decode = (bytes: Uint8Array | null) => codec.decode(recordOf({ value: bytes }))

  test('reads what it writes, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decode(codec.encode(text))).toBe(text)
      }),
    )
    expect(decode(codec.encode('\ufeffa'))).toBe('\ufeffa')
    expect(decode(Buffer.alloc(0))).toBe('')
  })

  test('rejects bytes that are not UTF-8, and a record without a value', () => {
    for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xe2, 0x82]]) {
      expect(decode(Buffer.from(bytes))).toEqual(new Rejection('not-utf8', `not UTF-8 text, ${bytes.length} bytes`))
    }
    expect(decode(null)).toMatchObject({ reason: 'no-value' })
  })

  test('writes no text that it could not read again', () => {
    expect(() => codec.encode('a\ud800')).toThrow(TypeError)
  })
})
