import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../../src/runtime/errors.ts'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { RecordColumns } from '../../../src/runtime/log/recordColumns.ts'
import { crc32c } from '../../../src/sources/recordBatch/crc32c.ts'
import { decompress } from '../../../src/sources/recordBatch/decompress.ts'
import { type BatchRecord, encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'
import type { WalkRange } from '../../../src/sources/recordBatch/walkOptions.ts'
import { CODECS, compressed, sealed } from '../../support/recordBatches.ts'

const headerBytes = 61
const field = fc.option(fc.oneof({ weight: 9, arbitrary: fc.uint8Array({ maxLength: 90 }) }, longBytes()), {
  nil: null,
})
const time = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -(2 ** 51), max: 2 ** 51 }) },
)
const headers = fc.oneof(
  { weight: 9, arbitrary: fc.constant([]) },
  fc.array(fc.record({ key: fc.string({ maxLength: 4 }), value: field }), { maxLength: 3 }),
)
const recordList = fc.array(fc.record({ timestamp: time, key: field, value: field, headers }), {
  minLength: 1,
  maxLength: 40,
})
/** What ends numbers of several bytes, has them go on, and makes them negative. */
const hostileByte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 3, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff))
const range = fc.record({ startOffset: fc.nat(60), endOffset: fc.integer({ min: 0, max: 130 }) })

function longBytes() {
  return fc.integer({ min: 91, max: 20_000 }).map((length) => new Uint8Array(length).fill(0x61))
}

describe('records that are read together', () => {
  test('are those that are read one by one', () => {
    fc.assert(
      fc.property(fc.array(recordList, { minLength: 1, maxLength: 4 }), range, (lists, range) => {
        sameBothWays(joined(lists), range)
      }),
      { numRuns: 500 },
    )
  })

  test('are read together where nothing is unusual about them, save the last few bytes', () => {
    const records = Array.from({ length: 300 }, (_, i) => ({
      timestamp: 1_700_000_000_000 - 60_000_000 * (i % 3) - i,
      key: i % 5 === 0 ? null : Buffer.from('k'.repeat(i % 100)),
      value: i % 7 === 0 ? null : Buffer.from('v'.repeat(i * 100)),
    }))
    const columns = new RecordColumns(1_000)
    new RecordBatchWalker('t', 0)
      .load(Buffer.concat([encodeRecordBatch(0, records), encodeRecordBatch(300, records)]))
      .readMany(columns)
    expect(columns.count).toBeGreaterThan(590)
  })

  test.each(CODECS)('of batches in $name as of plain ones, each in a buffer of its own', ({ code, pack }) => {
    fc.assert(
      fc.property(fc.array(recordList, { minLength: 1, maxLength: 4 }), fc.nat(15), (lists, which) => {
        let base = 0
        const batches = lists.map((records, i) => {
          const batch = encodeRecordBatch(base, records)
          base += records.length
          return (which >> i) & 1 ? compressed(batch, code, pack) : batch
        })
        sameBothWays(Buffer.concat(batches), {})
      }),
      { numRuns: 100 },
    )
  })

  test('say the same about records that are broken under a right checksum', () => {
    fc.assert(
      fc.property(
        recordList,
        recordList,
        fc.array(fc.tuple(fc.nat(), hostileByte), { minLength: 1, maxLength: 6 }),
        range,
        (records, others, changes, range) => {
          const bytes = encodeRecordBatch(0, records)
          for (const [place, byte] of changes) bytes[57 + (place % (bytes.length - 57))] = byte
          sameBothWays(Buffer.concat([sealed(bytes), encodeRecordBatch(records.length, others)]), range)
        },
      ),
      { numRuns: 4_000 },
    )
  })

  test('say the same about a batch whose every byte in turn is each hostile one', () => {
    const records = [0, 1, 2, 3].map((i) => ({
      timestamp: 1_700_000_000_000 + i * 100,
      key: i === 2 ? null : Buffer.from('k'.repeat(i)),
      value: i === 1 ? null : Buffer.from('v'.repeat(i)),
      headers: i === 3 ? [{ key: 'h', value: Buffer.from('x') }] : [],
    }))
    const whole = encodeRecordBatch(0, records)
    const behind = encodeRecordBatch(4, records)
    for (let place = 21; place < whole.length; place += 1) {
      for (const byte of [0, 1, 2, 3, 0x3f, 0x7f, 0x80, 0xff]) {
        const bytes = Buffer.from(whole)
        bytes[place] = byte
        sameBothWays(Buffer.concat([sealed(bytes), behind]), {})
      }
    }
  })

  test('say the same about bytes that end anywhere, with a batch that says so and with one that does not', () => {
    const records = Array.from({ length: 6 }, (_, i) => ({
      timestamp: 1_700_000_000_000 + i * 70,
      key: Buffer.from('key'),
      value: Buffer.from('v'.repeat(i * 20)),
    }))
    const whole = Buffer.concat([encodeRecordBatch(0, records), encodeRecordBatch(6, records)])
    for (let length = 0; length <= whole.length; length += 1) {
      sameBothWays(Buffer.from(whole.subarray(0, length)), {})
      if (length <= headerBytes) continue
      const short = Buffer.from(whole.subarray(0, Math.min(length, whole.length / 2)))
      short.writeInt32BE(short.length - 12, 8)
      sameBothWays(sealed(short), {})
    }
  })

  test('keep times that no number holds exactly apart from those that one does', () => {
    for (const base of [2n ** 53n - 2n, 2n ** 53n - 2n ** 28n, -(2n ** 53n) + 2n, 2n ** 62n, -(2n ** 63n)]) {
      const records = [0, 3, 5, 1, 9].map((timestamp) => ({ timestamp, key: null, value: Buffer.alloc(20) }))
      const bytes = encodeRecordBatch(0, records)
      bytes.writeBigInt64BE(base, 27)
      sameBothWays(sealed(bytes), {})
    }
  })
})

interface Said {
  readonly records: readonly unknown[]
  readonly nextOffset: number
  /** What was thrown behind them. */
  readonly error: unknown
}

function sameBothWays(bytes: Buffer, range: WalkRange): void {
  const single = said(bytes, range, (walker, each) => {
    const view = new RecordView()
    while (walker.read(view)) each(view)
  })
  for (const most of [1, 7, 512]) {
    const together = said(bytes, range, (walker, each) => {
      const ahead = new ReadAhead(most)
      while (ahead.next(walker)) each(ahead.show())
    })
    expect(together).toEqual(single)
  }
}

function said(
  bytes: Buffer,
  range: WalkRange,
  read: (walker: RecordBatchWalker, each: (view: RecordView) => void) => void,
): Said {
  const records: unknown[] = []
  const walker = new RecordBatchWalker('t', 0, { decompress }).load(bytes, range)
  const { nextOffset } = walker
  try {
    read(walker, (view) => {
      const { offset, timestamp, keyLength, valueLength, headersLength } = view
      const places = { keyLength, valueLength, headersLength }
      const headers = view.headers().map(({ key, value }) => [key, value === null ? null : crc32c(value)])
      const [key, value] = [view.keyCopy(), view.valueCopy()].map((copy) => (copy === null ? null : crc32c(copy)))
      records.push({ offset, timestamp, places, headers, key, value })
    })
    return { records, nextOffset, error: null }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { records, nextOffset, error: { message: error.message, offset: error.offset, next: error.nextOffset } }
  }
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
