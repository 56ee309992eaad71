import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, CorruptRecordError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { crc32c } from '../../../src/sources/recordBatch/crc32c.ts'
import { type BatchRecord, encodeRecordBatch, recordBytesAtMost } from '../../../src/sources/recordBatch/encode.ts'
import { groupIntoBatches } from '../../../src/sources/recordBatch/group.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'
import type { WalkRange } from '../../../src/sources/recordBatch/walkOptions.ts'

interface Seen {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
}

const field = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null })
const time = fc.oneof(
  fc.constant(-1),
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.integer({ min: -(2 ** 51), max: 2 ** 51 }),
)
const header = fc.record({ key: fc.string({ unit: 'binary', maxLength: 20 }), value: field })
const headers = fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(header, { maxLength: 5 }))
const recordList = fc.array(fc.record({ timestamp: time, key: field, value: field, headers }), {
  minLength: 1,
  maxLength: 40,
})
const baseOffset = fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1000 }))
/** Enough to meet every field of a header many times over, and still a second or two. */
const MANY = { numRuns: 3000 }

describe('walking what was encoded', () => {
  test('gives back exactly the records that went in', () => {
    fc.assert(
      fc.property(baseOffset, recordList, (base, records) => {
        expect(walk(encodeRecordBatch(base, records), { gaplessFrom: base })).toEqual(expected(base, records))
      }),
    )
  })

  test('several batches in one buffer are one run of records, from any offset up to any other', () => {
    fc.assert(
      fc.property(fc.array(recordList, { minLength: 1, maxLength: 5 }), fc.nat(220), fc.nat(220), (lists, from, to) => {
        const all = expected(0, lists.flat())
        const walker = new RecordBatchWalker('t', 0).load(joined(lists), {
          startOffset: from,
          endOffset: to,
          gaplessFrom: 0,
        })
        const wanted = all.filter(({ offset }) => offset >= from && offset < to)
        expect(readAll(walker)).toEqual(wanted)
        expect(walker.nextOffset).toBe(Math.min(to, Math.max(from, all.length)))
      }),
    )
  })

  test('a walker that takes on other bytes forgets the ones before', () => {
    const walker = new RecordBatchWalker('t', 0)
    walker.load(encodeRecordBatch(0, list(5)))
    walker.read(new RecordView())
    walker.load(encodeRecordBatch(70, list(2)), { startOffset: 71 })
    expect(readAll(walker).map(({ offset }) => offset)).toEqual([71])
  })

  test('no bytes are no records', () => {
    const walker = new RecordBatchWalker('t', 0).load(Buffer.alloc(0), { startOffset: 9 })
    expect(walker.read(new RecordView())).toBe(false)
    expect(walker.nextOffset).toBe(9)
  })

  test('a batch whose records were all compacted away still moves nextOffset', () => {
    const empty = encodeRecordBatch(10, list(1)).subarray(0, 61)
    empty.writeInt32BE(49, 8)
    empty.writeInt32BE(0, 57)
    empty.writeInt32BE(19, 23)
    const bytes = Buffer.concat([sealed(empty), encodeRecordBatch(30, list(1))])
    const walker = new RecordBatchWalker('t', 0).load(bytes)
    expect(readAll(walker).map(({ offset }) => offset)).toEqual([30])
    expect(walker.nextOffset).toBe(31)
  })

  test('the records of a control batch are skipped, their offsets are not', () => {
    const control = encodeRecordBatch(0, list(1))
    control.writeInt16BE(0x30, 21)
    const bytes = Buffer.concat([sealed(control), encodeRecordBatch(1, list(2))])
    expect(walk(bytes, { gaplessFrom: 0 }).map(({ offset }) => offset)).toEqual([1, 2])
  })

  test('a header without a value has none, like a key or a value', () => {
    const [seen] = walk(withHeaders([2, 2, 0x6b, 1]))
    expect(seen).toEqual({
      offset: 5,
      timestamp: 1_700_000_000_000,
      key: null,
      value: null,
      headers: [['k', null]],
    })
  })

  test('a record without headers takes none over from the one that the view showed before', () => {
    const bytes = encodeRecordBatch(0, [{ ...list(1)[0]!, headers: [{ key: 'k', value: null }] }, ...list(1)])
    expect(walk(bytes).map(({ headers }) => headers)).toEqual([[['k', null]], []])
  })

  test('headers that were read outlive the batch', () => {
    const bytes = encodeRecordBatch(0, [{ ...list(1)[0]!, headers: [{ key: 'k', value: Buffer.from('v') }] }])
    const view = new RecordView()
    new RecordBatchWalker('t', 0).load(bytes).read(view)
    const headers = view.headers()
    bytes.fill(0xff)
    expect(headers).toEqual([{ key: 'k', value: Buffer.from('v') }])
  })

  test('a record never takes more bytes than recordBytesAtMost says', () => {
    fc.assert(
      fc.property(recordList, (records) => {
        const most = records.reduce((sum, record) => sum + recordBytesAtMost(record), 61)
        expect(encodeRecordBatch(0, records).length).toBeLessThanOrEqual(most)
      }),
    )
  })

  test('a batch stamped by the log gives the time of the log', () => {
    const stamped = encodeRecordBatch(0, list(3))
    stamped.writeInt16BE(0x08, 21)
    stamped.writeBigInt64BE(1_800_000_000_000n, 35)
    expect(walk(sealed(stamped)).map(({ timestamp }) => timestamp)).toEqual(Array(3).fill(1_800_000_000_000))
  })

  test('a timestamp that no number holds exactly reads as none', () => {
    const absurd = encodeRecordBatch(0, list(2))
    absurd.writeBigInt64BE(2n ** 62n, 27)
    expect(walk(sealed(absurd)).map(({ timestamp }) => timestamp)).toEqual([-1, -1])
  })
})

describe('broken bytes', () => {
  test('one flipped bit never gives a wrong record, nor anything but CorruptRecordError', () => {
    fc.assert(
      fc.property(fc.array(recordList, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat(7), (lists, place, bit) => {
        const bytes = joined(lists)
        bytes[place % bytes.length]! ^= 1 << bit
        prefixOrCorrupt(bytes, expected(0, lists.flat()))
      }),
      MANY,
    )
  })

  test('bytes that end too early, or go on, never give a wrong record', () => {
    fc.assert(
      fc.property(recordList, fc.nat(), fc.uint8Array({ maxLength: 80 }), (records, cut, more) => {
        const whole = encodeRecordBatch(0, records)
        prefixOrCorrupt(Buffer.concat([whole.subarray(0, cut % whole.length), more]), expected(0, records))
        if (more.length > 0) prefixOrCorrupt(Buffer.concat([whole, more]), expected(0, records))
      }),
      MANY,
    )
  })

  test('records that are broken under a right checksum end in CorruptRecordError or in the bytes as they are, and end', () => {
    fc.assert(
      fc.property(
        recordList,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (records, changes) => {
          const bytes = encodeRecordBatch(0, records)
          for (const [place, byte] of changes) bytes[57 + (place % (bytes.length - 57))] = byte
          const seen = walkUntilCorrupt(sealed(bytes))
          expect(seen.length).toBeLessThanOrEqual(bytes.length)
        },
      ),
      MANY,
    )
  })

  test('any bytes at all end in CorruptRecordError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        expect(() => walk(Buffer.from(bytes))).toThrow(CorruptRecordError)
      }),
      MANY,
    )
  })

  test.each<[string, readonly number[], string]>([
    ['a negative count', [1], 'a count of -1 headers'],
    ['more headers than there are bytes', [0xfe, 0xff, 0xff, 0xff, 0x0f, 2, 0x6b, 1], 'runs past its end'],
    ['a name that is null', [2, 1, 1], "a header's key of -1 bytes"],
    ['a name beyond the record', [2, 40, 0x6b, 1], 'runs past its end'],
    ['a value beyond the record', [2, 2, 0x6b, 40, 0x76], 'a record that ends 19 bytes past its length'],
    ['a negative length of a value', [2, 2, 0x6b, 3], "a header's value of -2 bytes"],
    ['bytes behind the last header', [2, 2, 0x6b, 1, 0], 'a record that ends -1 bytes past its length'],
  ])('headers with %s are named', (_name, bytes, message) => {
    expect(() => walk(withHeaders(bytes))).toThrow(message)
  })

  test('the error says where, what was found, and stays', () => {
    const bytes = encodeRecordBatch(40, list(3))
    bytes[80]! ^= 1
    const walker = new RecordBatchWalker('trades', 2).load(bytes)
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = attemptRead(walker)
      expect(error).toBeInstanceOf(CorruptRecordError)
      expect(error).toMatchObject({ topic: 'trades', partition: 2, offset: 40 })
      expect((error as Error).message).toMatch(/trades\/2 at offset 40: CRC-32C [0-9a-f]{8} where the batch says/)
    }
  })

  test('a base offset that does not go on where the batch before ended is noticed, though no checksum covers it', () => {
    const bytes = Buffer.concat([encodeRecordBatch(0, list(3)), encodeRecordBatch(4, list(3))])
    expect(() => walk(bytes, { gaplessFrom: 0 })).toThrow('base offset 4 where 3 was due')
    expect(walk(bytes).map(({ offset }) => offset)).toEqual([0, 1, 2, 4, 5, 6])
    const back = Buffer.concat([encodeRecordBatch(0, list(3)), encodeRecordBatch(2, list(3))])
    expect(() => walk(back)).toThrow('base offset 2 where 3 or more was due')
  })

  test('a batch that a seek skips is checked all the same', () => {
    const bytes = Buffer.concat([encodeRecordBatch(0, list(3)), encodeRecordBatch(3, list(3))])
    bytes[70]! ^= 1
    expect(() => walk(bytes, { startOffset: 4 })).toThrow(CorruptRecordError)
  })

  test.each<[string, (bytes: Buffer) => void, string]>([
    ['magic', (bytes) => bytes.writeInt8(1, 16), 'magic 1'],
    ['negative record count', (bytes) => bytes.writeInt32BE(-1, 57), 'a count of -1 records'],
    ['too many records', (bytes) => bytes.writeInt32BE(3, 57), 'runs past its end'],
    ['too few records', (bytes) => bytes.writeInt32BE(1, 57), 'bytes behind the last record'],
    ['negative last offset delta', (bytes) => bytes.writeInt32BE(-1, 23), 'last offset delta of -1'],
    ['offset behind the last', (bytes) => bytes.writeInt32BE(0, 23), 'an offset delta of 1 after 0, of at most 0'],
    ['a negative batch length', (bytes) => bytes.writeInt32BE(-5, 8), 'a batch of 7 bytes'],
    ['a varint of more than 32 bits', (bytes) => bytes.fill(0xff, 61, 67), 'more than 32 bits'],
  ])('a wrong %s is named', (_name, spoil, message) => {
    const bytes = encodeRecordBatch(0, list(2))
    spoil(bytes)
    expect(() => walk(sealed(bytes))).toThrow(message)
  })
})

describe('what cannot be encoded', () => {
  test.each([
    ['no records', 0, []],
    ['a negative base offset', -1, list(1)],
    ['half a millisecond', 0, [{ timestamp: 0.5, key: null, value: null }]],
    ['a time beyond 2^51', 0, [{ timestamp: 2 ** 52, key: null, value: null }]],
  ])('is refused: %s', (_name, base, records) => {
    expect(() => encodeRecordBatch(base, records)).toThrow(ConfigurationError)
  })

  test('batches are cut at both limits, and a record above the limit is a batch alone', () => {
    const records = [10, 10, 10, 500, 10].map((size) => ({
      partition: 1,
      timestamp: 0,
      key: null,
      value: Buffer.alloc(size),
    }))
    const grouped = groupIntoBatches('t', 2, records, { maxRecords: 2, maxBytes: 100 })
    expect([...grouped].map(([partition, lists]) => [partition, lists.map((batch) => batch.length)])).toEqual([
      [1, [2, 1, 1, 1]],
    ])
  })
})

/** Nothing but a beginning of the right records, and then the right end or `CorruptRecordError`. */
function prefixOrCorrupt(bytes: Buffer, right: readonly Seen[]): void {
  const seen = walkUntilCorrupt(bytes, { gaplessFrom: 0 })
  expect(seen).toEqual(right.slice(0, seen.length))
}

function walkUntilCorrupt(bytes: Buffer, range?: WalkRange): Seen[] {
  const seen: Seen[] = []
  try {
    const walker = new RecordBatchWalker('t', 0).load(bytes, range)
    const view = new RecordView()
    while (walker.read(view)) seen.push(copy(view))
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error
  }
  return seen
}

function attemptRead(walker: RecordBatchWalker): unknown {
  try {
    return walker.read(new RecordView())
  } catch (error) {
    return error
  }
}

function walk(bytes: Buffer, range?: WalkRange): Seen[] {
  return readAll(new RecordBatchWalker('t', 0).load(bytes, range))
}

function readAll(walker: RecordBatchWalker): Seen[] {
  const view = new RecordView()
  const seen: Seen[] = []
  while (walker.read(view)) seen.push(copy(view))
  return seen
}

function copy(view: RecordView): Seen {
  return {
    offset: view.offset,
    timestamp: view.timestamp,
    key: hex(view.keyCopy()),
    value: hex(view.valueCopy()),
    headers: view.headers().map(({ key, value }) => [key, hex(value)]),
  }
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex')
}

function expected(base: number, records: readonly BatchRecord[]): Seen[] {
  return records.map(({ timestamp, key, value, headers = [] }, index) => ({
    offset: base + index,
    timestamp,
    key: hex(key),
    value: hex(value),
    headers: headers.map((header) => [Buffer.from(header.key).toString(), hex(header.value)]),
  }))
}

function joined(lists: readonly (readonly BatchRecord[])[]): Buffer {
  let base = 0
  return Buffer.concat(
    lists.map((records) => {
      const batch = encodeRecordBatch(base, records)
      base += records.length
      return batch
    }),
  )
}

/** A batch of one record without key and value, whose headers are these bytes. */
function withHeaders(headers: readonly number[]): Buffer {
  const body = [0, 0, 0, 1, 1, ...headers]
  const batch = Buffer.concat([encodeRecordBatch(5, list(1)).subarray(0, 61), Buffer.from([body.length * 2, ...body])])
  batch.writeInt32BE(batch.length - 12, 8)
  return sealed(batch)
}

/** Writes the checksum anew, over bytes that were changed on purpose. */
function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes, 21), 17)
  return bytes
}

function list(count: number): BatchRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    timestamp: 1_700_000_000_000 + index,
    key: Buffer.from(`key ${index}`),
    value: Buffer.from(`value ${index}`),
  }))
}
