import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, CorruptRecordError } from '../../../../src/runtime/errors.ts'
import { RecordView } from '../../../../src/runtime/log/record.ts'
import { type AbortedTransaction, RecordSet } from '../../../../src/sources/kafka/wire/recordSet.ts'
import { decompress } from '../../../../src/sources/recordBatch/decompress.ts'
import { encodeRecordBatch } from '../../../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../../../src/sources/recordBatch/walker.ts'
import { copyOf, marker, type SeenRecord, sealed, transactional } from '../../../support/recordBatches.ts'

const place = { topic: 't', partition: 1 }

describe('a record set', () => {
  test('in pieces of any size is the same records, each once, up to the same end', () => {
    const shape = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(5)), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(shape, fc.nat(40), fc.infiniteStream(fc.integer({ min: 1, max: 900 })), (batches, from, sizes) => {
        const { bytes, next } = log(batches)
        const start = Math.min(from, next - 1)
        const set = new RecordSet(bytes, start, [], place)
        expect(set.nextOffset).toBe(next)
        const whole = walk(new RecordSet(bytes, start, [], place), () => 1 << 20)
        expect(walk(set, () => sizes.next().value)).toEqual(whole)
        expect(whole.every(({ offset }) => offset >= start)).toBe(true)
      }),
    )
  })

  test('that is cut off anywhere holds the batches that are whole, and the rest is fetched again', () => {
    const { bytes } = log([
      [3, 0],
      [2, 4],
      [5, 0],
    ])
    const first = encodeRecordBatch(0, list(3)).length
    for (let length = first; length < bytes.length; length++) {
      const set = new RecordSet(bytes.subarray(0, length), 0, [], place)
      const seen = walk(set, () => 1 << 20)
      expect(seen.length === 3 || seen.length === 5).toBe(true)
      expect(set.nextOffset).toBe(seen.length === 3 ? 3 : 9)
    }
    for (const length of [1, 16, 17, 60, first - 1]) {
      expect(() => new RecordSet(bytes.subarray(0, length), 4, [], place)).toThrow(CorruptRecordError)
      expect(() => new RecordSet(bytes.subarray(0, length), 4, [], place)).toThrow(/t\/1 near offset 4/)
    }
  })

  test('of broken bytes never gives a wrong record, nor another error than CorruptRecordError', () => {
    const aborted = [{ producerId: 5n, firstOffset: 4 }]
    const bytes = Buffer.concat([
      encodeRecordBatch(0, list(4)),
      transactional(encodeRecordBatch(4, list(3)), 5n),
      transactional(encodeRecordBatch(7, list(3)), 6n),
      marker(10, 5n, 'abort'),
      transactional(encodeRecordBatch(11, list(2)), 5n),
      marker(13, 6n, 'commit'),
      encodeRecordBatch(14, list(4)),
    ])
    const right = walk(new RecordSet(bytes, 0, aborted, place), () => 1 << 20)
    expect(right.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 7, 8, 9, 11, 12, 14, 15, 16, 17])
    fc.assert(
      fc.property(fc.nat(), fc.nat(7), fc.nat(500), (at, bit, size) => {
        const spoilt = Buffer.from(bytes)
        const index = at % bytes.length
        spoilt[index]! ^= 1 << bit
        const seen = walkUntilCorrupt(spoilt, aborted, size)
        // A base offset is outside the checksum: a batch may seem to lie elsewhere, with the records that it has.
        const strip = ({ offset: _offset, ...rest }: SeenRecord) => rest
        if (isInBaseOffset(bytes, index)) expect(right.map(strip)).toEqual(expect.arrayContaining(seen.map(strip)))
        else expect(seen).toEqual(right.slice(0, seen.length))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('transactions', () => {
  test('that were aborted are left out, also when the marker comes with a later fetch, and only up to it', () => {
    const batches = [
      transactional(encodeRecordBatch(0, list(2)), 9n),
      encodeRecordBatch(2, list(1)),
      marker(3, 9n, 'abort'),
      transactional(encodeRecordBatch(4, list(2)), 9n),
      marker(6, 9n, 'commit'),
    ]
    const aborted = [{ producerId: 9n, firstOffset: 0 }]
    const offsets = (bytes: Buffer, from: number, list: AbortedTransaction[]) =>
      walk(new RecordSet(bytes, from, list, place), () => 100).map(({ offset }) => offset)
    expect(offsets(Buffer.concat(batches), 0, aborted)).toEqual([2, 4, 5])
    expect(offsets(Buffer.concat(batches.slice(0, 2)), 0, aborted)).toEqual([2])
    expect(offsets(Buffer.concat(batches.slice(1)), 2, aborted)).toEqual([2, 4, 5])
    expect(offsets(Buffer.concat(batches.slice(3)), 4, [])).toEqual([4, 5])
  })

  test('of one producer, twice aborted, and of another at the same time', () => {
    const bytes = Buffer.concat([
      transactional(encodeRecordBatch(0, list(1)), 1n),
      transactional(encodeRecordBatch(1, list(1)), 2n),
      marker(2, 1n, 'abort'),
      transactional(encodeRecordBatch(3, list(1)), 1n),
      marker(4, 2n, 'abort'),
      marker(5, 1n, 'commit'),
      transactional(encodeRecordBatch(6, list(1)), 1n),
      transactional(encodeRecordBatch(7, list(1)), 2n),
      marker(8, 1n, 'abort'),
      marker(9, 2n, 'commit'),
    ])
    const aborted = [
      { producerId: 1n, firstOffset: 0 },
      { producerId: 2n, firstOffset: 1 },
      { producerId: 1n, firstOffset: 6 },
    ]
    const set = new RecordSet(bytes, 0, aborted, place)
    expect(walk(set, () => 1).map(({ offset }) => offset)).toEqual([3, 7])
    expect(set.nextOffset).toBe(10)
  })
})

describe('the message format before version 2', () => {
  test('is named, with what to do, when its own checksum holds', () => {
    const old = messageV1(12)
    expect(() => new RecordSet(old, 12, [], place)).toThrow(ConfigurationError)
    expect(() => new RecordSet(old, 12, [], place)).toThrow(/t\/1 at offset 12 is in message format 1.*written anew/)
  })

  test('is broken bytes when it does not', () => {
    const old = messageV1(12)
    old[30]! ^= 1
    expect(() => new RecordSet(old, 12, [], place)).toThrow(CorruptRecordError)
  })
})

function walk(set: RecordSet, size: () => number): SeenRecord[] {
  const seen: SeenRecord[] = []
  const walker = new RecordBatchWalker('t', 1, { decompress })
  let next = -1
  while (set.byteLength > 0) {
    const { bytes, startOffset } = set.take(size())
    const batch = walker.load(bytes, { startOffset, aborted: set.aborted })
    expect(batch.nextOffset).toBeGreaterThanOrEqual(next)
    next = batch.nextOffset
    const view = new RecordView()
    while (batch.read(view)) seen.push(copyOf(view))
  }
  expect(next).toBe(set.nextOffset)
  return seen
}

function walkUntilCorrupt(bytes: Buffer, aborted: readonly AbortedTransaction[], size: number): SeenRecord[] {
  const seen: SeenRecord[] = []
  try {
    const set = new RecordSet(bytes, 0, aborted, place)
    const walker = new RecordBatchWalker('t', 1, { decompress })
    const view = new RecordView()
    while (set.byteLength > 0) {
      const { bytes: piece, startOffset } = set.take(size)
      const batch = walker.load(piece, { startOffset, aborted: set.aborted })
      while (batch.read(view)) seen.push(copyOf(view))
    }
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error
  }
  return seen
}

/** Batches of so many records, each followed by so many offsets that compaction took away. */
function log(batches: readonly (readonly [number, number])[]): { bytes: Buffer; next: number } {
  let next = 0
  const parts = batches.map(([count, gap]) => {
    const batch = encodeRecordBatch(next, list(count))
    next += count + gap
    batch.writeInt32BE(count + gap - 1, 23)
    return sealed(batch)
  })
  return { bytes: Buffer.concat(parts), next }
}

function isInBaseOffset(bytes: Buffer, index: number): boolean {
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8))
    if (index >= at && index < at + 8) return true
  return false
}

function messageV1(offset: number): Buffer {
  const value = Buffer.from('an old message, long enough for any header of version 2 to fit')
  const message = Buffer.alloc(12 + 4 + 1 + 1 + 8 + 4 + 4 + value.length)
  message.writeBigInt64BE(BigInt(offset), 0)
  message.writeInt32BE(message.length - 12, 8)
  message.writeInt8(1, 16)
  message.writeBigInt64BE(1_600_000_000_000n, 18)
  message.writeInt32BE(-1, 26)
  message.writeInt32BE(value.length, 30)
  value.copy(message, 34)
  message.writeUInt32BE(crc32(message.subarray(16)), 12)
  return message
}

function list(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    timestamp: 1_700_000_000_000 + index,
    key: Buffer.from(`key ${index}`),
    value: Buffer.from(`value ${index}`),
  }))
}
