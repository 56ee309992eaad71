import { expect, it } from 'vitest'
import { z } from 'zod'
import { wasmColumns } from '../../src/codecs/columns/wasmColumns.ts'
import type { FrameColumns } from '../../src/codecs/frameColumns.ts'
import { ReaderColumns } from '../../src/codecs/readerColumns.ts'
import { fixed8Schema } from '../../src/exact/fixed8Schema.ts'

const schema = z.object({
  symbol: z.string(),
  price: fixed8Schema,
  at: z.int(),
  isBuyer: z.boolean(),
  note: z.string().nullable(),
  kind: z.string().optional(),
})

const frames = [
  '{"symbol":"A","price":"1.5","at":1,"isBuyer":true,"note":null}',
  '{"symbol":"B","price":"0.00000001","at":2,"isBuyer":false,"note":"late","kind":"x"}',
  '{"symbol":"A"}',
  '{"price":"2","symbol":"C","isBuyer":true,"at":9007199254740991,"note":"C"}',
  '{"symbol":"D","price":"999999999999999999","at":4,"isBuyer":true,"note":null}',
  'no JSON',
  '{"symbol":"A","price":"3","at":5,"isBuyer":true,"note":null}',
]

/** What the columns say of each frame; null of one that they leave to somebody else. */
function read(columns: FrameColumns): unknown[] {
  const buffer = Buffer.from(`${frames.join('')}${' '.repeat(100)}`)
  const lengths = Int32Array.from([...frames.map((frame) => Buffer.byteLength(frame)), -1])
  const starts = Int32Array.from(lengths, (_, i) => lengths.subarray(0, i).reduce((sum, length) => sum + length, 0))
  columns.read(buffer, starts, lengths, 0, lengths.length)
  const [symbol, price, at, isBuyer, note, kind] = ['symbol', 'price', 'at', 'isBuyer', 'note', 'kind'].map((name) =>
    columns.slot(name),
  ) as [number, number, number, number, number, number]
  return Array.from(lengths, (_, i) => {
    const layout = columns.layouts[i] as number
    if (layout === 0) return null
    return [
      columns.texts(symbol).at(i),
      columns.numbers(price)[i],
      columns.numbers(at)[i],
      columns.numbers(isBuyer)[i],
      columns.isNull(layout, note) ? null : columns.texts(note).at(i),
      columns.has(layout, kind) ? columns.texts(kind).at(i) : undefined,
    ]
  })
}

const expected = [
  ['A', 150_000_000, 1, 1, null, undefined],
  ['B', 1, 2, 0, 'late', 'x'],
  null,
  ['C', 200_000_000, Number.MAX_SAFE_INTEGER, 1, 'C', undefined],
  null,
  null,
  ['A', 300_000_000, 5, 1, null, undefined],
  null,
]

it('frames are read into the same columns where there is no WebAssembly, and the same are left out', () => {
  const columns = new ReaderColumns(schema, 16)
  expect(read(columns)).toStrictEqual(expected)
  expect(read(columns)).toStrictEqual(expected)
})

it('keep what was read into other rows, however many layouts come', () => {
  const columns = new ReaderColumns(z.object({ a: z.int() }), 2)
  const readInto = (row: number, text: string) => {
    const buffer = Buffer.from(text + ' '.repeat(100))
    columns.read(buffer, Int32Array.of(0), Int32Array.of(text.length), 0, 1, row)
  }
  const a = columns.slot('a')
  readInto(1, '{"a":7}')
  for (let n = 0; n < 50; n += 1) readInto(0, `{"x${n}":0,"a":${n}}`)
  expect([columns.layouts[1] !== 0, columns.has(columns.layouts[1] as number, a), columns.numbers(a)[1]]).toEqual([
    true,
    true,
    7,
  ])
  let read = 0
  for (let n = 0; n < 1_000; n += 1) {
    readInto(0, `{"y${n}":0,"a":${n}}`)
    if (columns.layouts[0] === 0) continue
    read += 1
    expect([columns.has(columns.layouts[0] as number, a), columns.numbers(a)[0]]).toEqual([true, n])
  }
  expect(read).toBeGreaterThan(80)
  expect(columns.layouts[1]).toBe(0)
})

it('by WebAssembly as well', () => {
  const columns = wasmColumns(schema, 16)
  if (columns === null) throw new Error('there is no WebAssembly')
  expect(read(columns)).toStrictEqual(expected)
})
