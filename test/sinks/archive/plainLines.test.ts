import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { RecordColumns } from '../../../src/runtime/log/recordColumns.ts'
import { ArchiveLines } from '../../../src/sinks/archive/archiveLines.ts'
import { LineBuffer } from '../../../src/sinks/archive/lineBuffer.ts'
import { PieceBuffers } from '../../../src/sinks/archive/pieceBuffers.ts'
import { recordOf } from '../../codecs/recordOf.ts'

/** Few lengths, so that the ends of lines are foretold; and what is not plain. */
const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('BTCUSDT', 'ETHUSDT', 'A') },
  { weight: 1, arbitrary: fc.constantFrom(null, '', 'a "quoted" key', '币安', 'k'.repeat(33), 'k'.repeat(90)) },
)
const value = fc.oneof(
  { weight: 8, arbitrary: fc.nat(999).map((n) => `{"p":"${String(n).padStart(3, '0')}"}`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(null, '', '{}', 'not json', '{"a":\n1}', `{"a":"${'x'.repeat(80)}"}`, 'null', '"null"'),
  },
)
const recordList = fc.array(
  fc.record({
    step: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 3_000 })),
    timestamp: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1_723_161_255_000, max: 1_723_161_256_000 }) },
      fc.constantFrom(-1, 0, 7, 1e15, Number.MAX_SAFE_INTEGER),
    ),
    key,
    value,
    hasHeaders: fc.oneof({ weight: 14, arbitrary: fc.constant(false) }, fc.constant(true)),
  }),
  { minLength: 1, maxLength: 60 },
)
const first = fc.constantFrom(0, 5, 93, 999_990, 2 ** 40, Number.MAX_SAFE_INTEGER - 200_000)
const damage = fc.array(
  fc.tuple(
    fc.nat(20_000),
    fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}",:0129n\\'))).filter((byte) => byte !== 10),
  ),
  { maxLength: 4 },
)

type Row = readonly [offset: number, timestamp: number, key: string | null, value: string | null, headers: number]

function rowOf(view: RecordView): Row {
  const { offset, timestamp, headersLength } = view
  const text = (bytes: Buffer | null) => bytes?.toString('latin1') ?? null
  return [offset, timestamp, text(view.keyCopy()), text(view.valueCopy()), headersLength]
}

/** What `read` says of all lines, and how it ends. */
function oneByOne(bytes: Buffer): readonly (Row | string)[] {
  const lines = new ArchiveLines().load(bytes)
  const view = new RecordView()
  const rows: (Row | string)[] = []
  try {
    while (lines.read(view)) rows.push(rowOf(view))
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    rows.push(error.message)
  }
  return rows
}

function together(bytes: Buffer, most: number, from: number): { rows: readonly (Row | string)[]; together: number } {
  const lines = new ArchiveLines().load(bytes)
  const rows: (Row | string)[] = []
  const view = new RecordView()
  const shown = new RecordView()
  let read = 0
  try {
    for (;;) {
      const columns = new RecordColumns(most)
      lines.readMany(columns, from)
      read += columns.count
      for (let i = 0; i < columns.count; i++) {
        shown.buffer = columns.buffer
        shown.offset = columns.offsets[i] as number
        shown.timestamp = columns.timestamps[i] as number
        shown.keyStart = columns.keyStarts[i] as number
        shown.keyLength = columns.keyLengths[i] as number
        shown.valueStart = columns.valueStarts[i] as number
        shown.valueLength = columns.valueLengths[i] as number
        shown.headersLength = columns.headersLengths[i] as number
        rows.push(rowOf(shown))
      }
      if (!lines.read(view)) return { rows, together: read }
      if (view.offset >= from) rows.push(rowOf(view))
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    rows.push(error.message)
    return { rows, together: read }
  }
}

function linesOf(records: typeof recordList extends fc.Arbitrary<infer T> ? T : never, firstOffset: number): Buffer {
  const lines = new LineBuffer(new PieceBuffers())
  let offset = firstOffset
  for (const { key, value, timestamp, step, hasHeaders } of records) {
    const record = recordOf({
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers: hasHeaders ? [{ key: 'trace', value: Buffer.from('v') }] : [],
    })
    record.offset = offset
    record.timestamp = timestamp
    lines.append(record)
    offset += step
  }
  return Buffer.from(lines.take())
}

const isGrowing = (rows: readonly (Row | string)[]) =>
  rows.every((row, i) => typeof row === 'string' || i === 0 || row[0] > (rows[i - 1]?.[0] as number))

describe('lines that are read together', () => {
  test('say what they say one by one, whatever is damaged but their ends and the order of their offsets', () => {
    let readTogether = 0
    fc.assert(
      fc.property(recordList, first, damage, fc.integer({ min: 1, max: 70 }), (records, firstOffset, damaged, most) => {
        const bytes = linesOf(records, firstOffset)
        for (const [at, byte] of damaged) bytes[at % bytes.length] = byte
        const wanted = oneByOne(bytes)
        fc.pre(isGrowing(wanted))
        const made = together(bytes, most, 0)
        readTogether += made.together
        expect(made.rows).toEqual(wanted)
      }),
      { numRuns: 1_500 },
    )
    expect(readTogether).toBeGreaterThan(1_000)
  })

  test('begin at an offset, and go on behind what only one by one can be read', () => {
    fc.assert(
      fc.property(recordList, fc.nat(80), fc.integer({ min: 1, max: 70 }), (records, from, most) => {
        const bytes = linesOf(records, 0)
        const wanted = oneByOne(bytes).filter((row) => (row[0] as number) >= from)
        expect(together(bytes, most, from).rows).toEqual(wanted)
      }),
      { numRuns: 300 },
    )
  })

  test('are not taken for one where two of them are as long as one before', () => {
    const line = (offset: number, value: string) => `{"offset":${offset},"timestamp":1,"key":"A","value":${value}}\n`
    const short = line(11, '{"a":1}')
    const long = line(10, `{"a":"${'x'.repeat(2 * short.length - line(10, '{"a":""}').length)}"}`)
    expect(long).toHaveLength(2 * short.length)
    const bytes = Buffer.from(long + short + line(12, '{"a":2}') + line(13, '{"a":3}') + ' '.repeat(200))
    const columns = new RecordColumns(9)
    new ArchiveLines().load(bytes).readMany(columns, 0)
    expect([...columns.offsets.slice(0, columns.count)]).toEqual([10, 11, 12, 13])
  })
})
