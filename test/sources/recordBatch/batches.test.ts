import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { checksum } from '../../../src/sources/recordBatch/checksum.ts'
import { crc32c } from '../../../src/sources/recordBatch/crc32c.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'

interface Fixture {
  readonly name: string
  readonly records: {
    offset: number
    timestamp: number
    key: string | null
    value: string | null
    headers?: [string, string][]
  }[]
  readonly nextOffset: number
  readonly hex: string
}

/** Written by an encoder that shares no line with ours. */
const { batches } = JSON.parse(readFileSync(new URL('batches.json', import.meta.url), 'utf8')) as { batches: Fixture[] }
const plain = batches.filter(({ name }) => name !== 'gzip' && name !== 'transaction')

describe('batches of an independent encoder', () => {
  test.each(plain)('are read alike: $name', ({ hex, records, nextOffset }) => {
    const walker = new RecordBatchWalker('trades', 3).load(Buffer.from(hex, 'hex'))
    const view = new RecordView()
    const seen: unknown[] = []
    while (walker.read(view)) {
      const headers = view.headers().map(({ key, value }) => [key, value?.toString()])
      const fields = { offset: view.offset, timestamp: view.timestamp, key: view.keyText(), value: view.valueText() }
      seen.push({ ...fields, headers })
    }
    expect(seen).toEqual(records.map((record) => ({ headers: [], ...record })))
    expect(walker.nextOffset).toBe(nextOffset)
  })

  test.each(plain.filter(({ name }) => name !== 'compacted'))(
    'are written alike, but for fields that a broker or a producer id fills: $name',
    ({ hex, records }) => {
      const theirs = Buffer.from(hex, 'hex')
      const ours = encodeRecordBatch(
        records[0]!.offset,
        records.map(({ timestamp, key, value, headers = [] }) => ({
          timestamp,
          key: key === null ? null : Buffer.from(key),
          value: value === null ? null : Buffer.from(value),
          headers: headers.map(([name, text]) => ({ key: name, value: Buffer.from(text) })),
        })),
      )
      for (const bytes of [ours, theirs]) bytes.fill(0, 12, 16).fill(0, 17, 21).fill(0, 43, 57)
      expect(ours.toString('hex')).toBe(theirs.toString('hex'))
    },
  )

  test.each([
    ['gzip', /trades\/3\/5 is compressed \(gzip\).*compression.type=none/s],
    ['transaction', /trades\/3\/5 belongs to a transaction/],
  ])('what a log is not supposed to hold is refused in words: %s', (name, message) => {
    const { hex } = batches.find((batch) => batch.name === name)!
    const walker = new RecordBatchWalker('trades', 3).load(Buffer.from(hex, 'hex'))
    expect(() => walker.read(new RecordView())).toThrow(ConfigurationError)
    expect(() => walker.read(new RecordView())).toThrow(message)
  })
})

describe('CRC-32C', () => {
  // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  test.each([
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(0), 0],
  ])('agrees with the published vectors (%#)', (bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected)
  })

  test('does not depend on where the bytes lie in memory', () => {
    const text = Buffer.from('The watermark never goes back, whatever the sender says.')
    for (let shift = 0; shift < 9; shift++) {
      const moved = Buffer.concat([Buffer.alloc(shift), text])
      expect(crc32c(moved, shift)).toBe(crc32c(text))
      expect(crc32c(moved.subarray(shift))).toBe(crc32c(text))
    }
  })

  test('is the same by the processor as in JavaScript, whichever of the two is asked', () => {
    const bytes = Buffer.from(Array.from({ length: 3_000 }, (_, index) => (index * 7919) >>> 3))
    for (const length of [0, 1, 1_023, 1_024, 1_025, 2_990]) {
      for (let start = 0; start < 9; start++) {
        expect(checksum(bytes, start, start + length)).toBe(crc32c(bytes, start, start + length))
      }
    }
  })
})
