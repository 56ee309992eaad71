import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BinaryRow } from '../../../src/sinks/postgres/binaryRow.ts'
import { CopiedRows, type RowPlace } from '../../../src/sinks/postgres/copiedRows.ts'

const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const trailer = Buffer.from([0xff, 0xff])

/** As the server sends them: the header with the first row, and the end by itself. */
function messagesOf(rows: readonly (readonly (number | null)[])[]): readonly Buffer[] {
  const bodies = rows.map((fields) => {
    const count = Buffer.alloc(2)
    count.writeInt16BE(fields.length)
    const parts = fields.map((length, i) => {
      const size = Buffer.alloc(4)
      size.writeInt32BE(length ?? -1)
      return Buffer.concat([size, Buffer.alloc(length ?? 0, i + 1)])
    })
    return Buffer.concat([count, ...parts])
  })
  return bodies.length === 0
    ? [Buffer.concat([header, trailer])]
    : [Buffer.concat([header, bodies[0] as Buffer]), ...bodies.slice(1), Buffer.from(trailer)]
}

function lengthsOf(copied: CopiedRows, fields: number, from?: RowPlace): readonly (readonly (number | null)[])[] {
  const row = new BinaryRow()
  const rows: (number | null)[][] = []
  const reader = copied.reader(from)
  while (reader.next(row)) {
    rows.push(
      Array.from({ length: fields }, (_, i) => {
        if (!row.next()) return null
        expect(row.bytes.subarray(row.start, row.start + row.length).every((byte) => byte === i + 1)).toBe(true)
        return row.length
      }),
    )
  }
  return rows
}

const length = fc.option(
  fc.oneof(
    { weight: 8, arbitrary: fc.nat(40) },
    { weight: 2, arbitrary: fc.integer({ min: 60_000, max: 140_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 262_000, max: 600_000 }) },
  ),
  { nil: null },
)

test('rows of a COPY are read back as they came, whatever their sizes, and again once they were cleared', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.tuple(length, length), { maxLength: 20 }), { minLength: 1, maxLength: 3 }),
      (copies) => {
        const copied = new CopiedRows()
        for (const rows of copies) {
          const messages = messagesOf(rows)
          for (const message of messages) {
            copied.add(message)
            // What was handed over is the driver's again.
            message.fill(0)
          }
          const framing = header.length + trailer.length
          expect(copied.byteLength).toBe(messages.reduce((sum, { length }) => sum + length, -framing))
          expect(lengthsOf(copied, 2)).toEqual(rows)
          copied.clear()
          expect(copied.byteLength).toBe(0)
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('rows of a COPY are read from any of them on, by several readers, also by one that leaves fields out', () => {
  const rows = [
    [3, null, 5],
    [1, 2, 300_000],
    [null, 7, 8],
  ]
  const copied = new CopiedRows()
  const places: RowPlace[] = []
  const bytes = messagesOf(rows)
  for (const message of bytes) {
    places.push(copied.end)
    copied.add(message)
  }
  for (const n of [0, 1, 2]) expect(lengthsOf(copied, 3, places[n])).toEqual(rows.slice(n))
  const [one, other] = [copied.reader(), copied.reader()]
  const [row, otherRow] = [new BinaryRow(), new BinaryRow()]
  const last: number[] = []
  while (one.next(row) && other.next(otherRow)) {
    row.skip(2)
    row.next()
    last.push(row.length)
    otherRow.skip(1)
    const second = otherRow.end
    otherRow.skip(2)
    otherRow.back(second)
    otherRow.skip(1)
    expect(otherRow.length).toBe(rows[last.length - 1]?.[1] ?? -1)
    otherRow.skip(1)
  }
  expect(last).toEqual([5, 300_000, 8])
})
