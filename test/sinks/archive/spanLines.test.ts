import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import { LineBuffer } from '../../../src/sinks/archive/lineBuffer.ts'
import { PieceBuffers } from '../../../src/sinks/archive/pieceBuffers.ts'
import type { ArchivedRecord } from '../../../src/sinks/archive/readArchiveObject.ts'
import { range, record, viewOf } from './records.ts'

const facts = { isJsonObject: true }

/** The records in one buffer, as a batch would have them read ahead. */
function aheadOf(records: readonly ArchivedRecord[]): ReadAhead {
  const ahead = new ReadAhead(records.length)
  const views = records.map(viewOf)
  const bytes = Buffer.concat(views.map(({ buffer }) => buffer))
  let start = 0
  for (const view of views) {
    const { length } = view.buffer
    view.buffer = bytes
    view.keyStart += start
    view.valueStart += start
    view.headersStart += start
    ahead.add(view)
    start += length
  }
  ahead.at = 0
  return ahead
}

/** Writes all of them, those together that can be, and says how many were. */
function writeAll(lines: LineBuffer, ahead: ReadAhead, enough = 100_000, hourEnd = Number.POSITIVE_INFINITY): number {
  let together = 0
  for (let at = 0; at < ahead.count; ) {
    ahead.at = at
    const count = lines.appendTogether(ahead, ahead.count, enough, hourEnd)
    if (count === 0) lines.append(ahead.show(), facts)
    together += count
    at += Math.max(1, count)
  }
  return together
}

function linesOf(records: readonly ArchivedRecord[]): { bytes: string; keys: string[] } {
  const lines = new LineBuffer(new PieceBuffers())
  for (const each of records) lines.append(viewOf(each), facts)
  return { keys: lines.keys(), bytes: lines.take().toString('latin1') }
}

const key = fc.oneof(
  fc.constantFrom(
    null,
    '',
    'A',
    'BTCUSDT',
    'BTCUSDC',
    'a "quoted" key',
    '币安人生USDT',
    'k'.repeat(40),
    'k'.repeat(41),
  ),
  fc.constantFrom('"'.repeat(40), Buffer.from([0xff, 0xfe]), Buffer.from([0, 0]), Buffer.from([0])),
  fc.string({ maxLength: 45 }),
)
const value = fc.oneof(
  fc.constantFrom(null, '{}', '{"a":1}', `{"a":"${'x'.repeat(16_376)}"}`, `{"a":"${'x'.repeat(16_377)}"}`),
  fc.nat(300).map((length) => `{"a":"${'y'.repeat(length)}"}`),
)
const timestamp = fc.constantFrom(-1, 0, 7, 1_723_161_255_342, 1_723_161_255_343, 1e15 - 1, 1e15, 0.5)
const gap = fc.constantFrom(1, 1, 1, 1, 1, 2, 90, 1e14)
const records = fc
  .record({
    first: fc.constantFrom(0, 8, 98, 99_999_990, 1e15 - 10, 123_456_789_012),
    rows: fc.array(fc.record({ key, value, timestamp, gap, hasHeaders: fc.constantFrom(false, false, false, true) }), {
      minLength: 8,
      maxLength: 60,
    }),
  })
  .map(({ first, rows }) => {
    let offset = first
    return rows.map(({ key, value, timestamp, gap, hasHeaders }) => {
      const headers = hasHeaders ? [{ key: 'trace', value: Buffer.from('a') }] : []
      const made = { ...record(offset, timestamp, key, value), headers }
      offset += gap
      return made
    })
  })

test('lines that are written together are those that are written one by one, and so are the keys', () => {
  fc.assert(
    fc.property(records, fc.integer({ min: 1, max: 5_000 }), (written, enough) => {
      const lines = new LineBuffer(new PieceBuffers())
      writeAll(lines, aheadOf(written), enough)
      const keys = lines.keys()
      expect({ keys, bytes: lines.take().toString('latin1') }).toEqual(linesOf(written))
    }),
    { numRuns: 300 },
  )
})

test('plain records of many keys are written together, and what is rare is not', () => {
  const plain = Array.from({ length: 500 }, (_, i) => record(i, i, i % 7 === 0 ? null : `K${i % 100}`, `{"a":${i}}`))
  const lines = new LineBuffer(new PieceBuffers())
  expect(writeAll(lines, aheadOf(plain))).toBe(500)
  expect(lines.take().toString('latin1')).toBe(linesOf(plain).bytes)
  const rare = [...range(0, 20), record(20, 1, 'k'.repeat(41), '{}'), record(21, 1, 'K', null), ...range(22, 40)]
  expect(writeAll(lines, aheadOf(rare))).toBe(38)
})

test('a file knows its own keys, whatever another has written between', () => {
  const files = [new LineBuffer(new PieceBuffers()), new LineBuffer(new PieceBuffers())] as const
  for (let round = 0; round < 3; round++) {
    writeAll(files[0], aheadOf(range(round * 20, round * 20 + 20)))
    writeAll(files[1], aheadOf(range(round * 20, round * 20 + 20)))
  }
  expect(files.map((file) => file.keys())).toEqual([['BTCUSDT'], ['BTCUSDT']])
})

test('it ends with the line that is enough, and before the hour is over', () => {
  const written = Array.from({ length: 30 }, (_, i) => record(i, 1_000 + i, 'K', '{"a":1}'))
  const ahead = aheadOf(written)
  const lines = new LineBuffer(new PieceBuffers())
  const lengths = written.map((each) => linesOf([each]).bytes.length)
  const three = lengths.slice(0, 3).reduce((sum, length) => sum + length)
  expect(lines.appendTogether(ahead, 30, three, Number.POSITIVE_INFINITY)).toBe(3)
  expect(lines.length).toBe(three)
  expect(lines.appendTogether(ahead, 30, three + 1, Number.POSITIVE_INFINITY)).toBe(4)
  expect(lines.appendTogether(ahead, 30, 100_000, 1_011)).toBe(11)
  expect(lines.appendTogether(ahead, 9, 100_000, 1_011)).toBe(9)
  ahead.at = 11
  expect(lines.appendTogether(ahead, 30, 100_000, 1_011)).toBe(0)
})

test('a record whose bytes lie before those of the first, however far, or behind those of the last is left to whoever looks at it alone', () => {
  const ahead = aheadOf(range(0, 24))
  const far = 700_000
  ahead.buffer = Buffer.concat([Buffer.alloc(far), ahead.buffer])
  for (const row of range(0, 24).keys()) {
    ahead.keyStarts[row] = (ahead.keyStarts[row] as number) + far
    ahead.valueStarts[row] = (ahead.valueStarts[row] as number) + far
  }
  const starts = [...ahead.valueStarts]
  for (const place of [0, (starts[4] as number) - 589_830, starts[0] as number, ahead.buffer.length - 4]) {
    ahead.at = 4
    ahead.valueStarts.set(starts)
    ahead.valueStarts[14] = place
    const lines = new LineBuffer(new PieceBuffers())
    expect(lines.appendTogether(ahead, 24, 100_000, Number.POSITIVE_INFINITY)).toBe(10)
  }
})
