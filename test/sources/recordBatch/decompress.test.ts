import { gzipSync, zstdCompressSync } from 'node:zlib'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, CorruptRecordError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { decompress } from '../../../src/sources/recordBatch/decompress.ts'
import { type BatchRecord, encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { lz4MostBytes } from '../../../src/sources/recordBatch/lz4Frame.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'
import type { WalkerOptions } from '../../../src/sources/recordBatch/walkOptions.ts'
import { CODECS, compressed, copyOf, readAll, type SeenRecord, sealed } from '../../support/recordBatches.ts'

const field = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null })
const recordList = fc.array(fc.record({ timestamp: fc.integer({ min: -1, max: 2 ** 45 }), key: field, value: field }), {
  minLength: 1,
  maxLength: 60,
})

describe.each(CODECS)('a batch in $name', ({ code, pack }) => {
  test('gives the records that went in', () => {
    fc.assert(
      fc.property(fc.nat(1e6), recordList, (base, records) => {
        const plain = encodeRecordBatch(base, records)
        expect(readAll(walker().load(compressed(plain, code, pack)))).toEqual(readAll(walker().load(plain)))
      }),
      { numRuns: 50 },
    )
  })

  test('stands between plain ones, and is left where an offset says so', () => {
    const bytes = Buffer.concat([
      encodeRecordBatch(0, list(3)),
      compressed(encodeRecordBatch(3, list(2000)), code, pack),
      encodeRecordBatch(2003, list(3)),
    ])
    const offsets = (startOffset: number, endOffset: number) =>
      readAll(walker().load(bytes, { startOffset, endOffset })).map(({ offset }) => offset)
    expect(offsets(0, 9999)).toEqual([...Array(2006).keys()])
    expect(offsets(2001, 2005)).toEqual([2001, 2002, 2003, 2004])
    expect(offsets(2, 5)).toEqual([2, 3, 4])
  })

  test('whose bytes are broken under a right checksum ends in CorruptRecordError or in records in order', () => {
    const plain = encodeRecordBatch(7, list(50))
    const whole = compressed(plain, code, pack)
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (place, change, isCut) => {
        const bytes = Buffer.from(isCut ? whole.subarray(0, 62 + (place % (whole.length - 62))) : whole)
        if (isCut) bytes.writeInt32BE(bytes.length - 12, 8)
        else bytes[61 + (place % (bytes.length - 61))]! ^= change
        const seen = untilCorrupt(sealed(bytes))
        // Under a right checksum the bytes are what the producer wrote, so other records are possible, disorder is not.
        expect(seen.length).toBeLessThanOrEqual(50)
        expect(seen.map(({ offset }) => offset)).toEqual(
          [...new Set(seen.map(({ offset }) => offset))].sort((a, b) => a - b),
        )
        for (const { offset } of seen) expect(offset >= 7 && offset < 57).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('one flipped bit anywhere never gives a wrong record', () => {
    const plain = encodeRecordBatch(7, list(50))
    const right = readAll(walker().load(plain))
    const whole = compressed(plain, code, pack)
    fc.assert(
      fc.property(fc.nat(), fc.nat(7), (place, bit) => {
        const bytes = Buffer.from(whole)
        // The base offset and the leader epoch lie outside the checksum.
        const at = 8 + (place % (bytes.length - 8))
        bytes[at]! ^= 1 << bit
        expect(untilCorrupt(bytes)).toEqual(at >= 12 && at < 16 ? right : [])
      }),
      { numRuns: 1000 },
    )
  })

  test('that would fill the memory is refused by its size, and the reader stays refused', () => {
    const plain = encodeRecordBatch(0, [{ timestamp: 0, key: null, value: Buffer.alloc(8 << 20) }])
    const bomb = compressed(plain, code, pack)
    expect(bomb.length).toBeLessThan(plain.length / 10)
    const reader = walker({ maxBatchBytes: 1 << 20 }).load(bomb)
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => reader.read(new RecordView())).toThrow(ConfigurationError)
      expect(() => reader.read(new RecordView())).toThrow(/t\/4\/0 takes \d+ bytes and more than 1048576/)
    }
    expect(readAll(walker({ maxBatchBytes: 9 << 20 }).load(bomb))).toHaveLength(1)
  })
})

describe('codecs', () => {
  test('that do not exist are broken bytes', () => {
    const bytes = encodeRecordBatch(0, list(1))
    bytes.writeInt16BE(6, 21)
    expect(() => readAll(walker().load(sealed(bytes)))).toThrow(CorruptRecordError)
    expect(() => decompress(9, Buffer.alloc(1), 1)).toThrow('no codec 9')
  })

  test('a limit that is just met is met', () => {
    const bytes = Buffer.alloc(100_000, 'abc')
    for (const [code, packed] of [
      [1, gzipSync(bytes)],
      [2, snappyCompress(bytes)],
      [4, zstdCompressSync(bytes)],
    ] as const) {
      expect(decompress(code, packed, bytes.length)?.equals(bytes)).toBe(true)
      expect(decompress(code, packed, bytes.length - 1)).toBeNull()
    }
  })

  test('an LZ4 frame is never larger than its headers say', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(50), (piece, times) => {
        const bytes = Buffer.concat(Array(times).fill(Buffer.from(piece)))
        expect(lz4MostBytes(lz4Compress(bytes))).toBeGreaterThanOrEqual(bytes.length)
      }),
    )
  })
})

function walker(options: WalkerOptions = {}): RecordBatchWalker {
  return new RecordBatchWalker('t', 4, { decompress, ...options })
}

function untilCorrupt(bytes: Buffer): SeenRecord[] {
  const seen: SeenRecord[] = []
  try {
    const reader = walker().load(bytes)
    const view = new RecordView()
    while (reader.read(view)) seen.push(copyOf(view))
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error
  }
  return seen
}

function list(count: number): BatchRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    timestamp: 1_700_000_000_000 + index,
    key: Buffer.from(`key ${index}`),
    value: Buffer.from(`value ${index * 7919}`),
  }))
}
