import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadRowError } from '../../../src/runtime/badRow.ts'
import type { PackedRows } from '../../../src/runtime/store/packedRows.ts'
import type { AppendTable, Column, ColumnType, ColumnValue } from '../../../src/runtime/store/table.ts'
import { withdrawn } from '../../../src/runtime/withdrawn.ts'
import { columnText } from '../../../src/sinks/postgres/columnText.ts'
import { CopyCells } from '../../../src/sinks/postgres/copyCells.ts'
import { CopyChunks } from '../../../src/sinks/postgres/copyChunks.ts'
import { CopyPacker, compiledWriter, walkingWriter } from '../../../src/sinks/postgres/copyPacker.ts'

type Row = Readonly<Record<string, ColumnValue>>

const tableOf = (...types: readonly ColumnType[]): AppendTable<Row> => ({
  mode: 'append',
  name: 't',
  columns: types.map((type, i): Column<Row> => ({ name: `c${i}`, type, of: (row) => row[`c${i}`] as ColumnValue })),
})
const rowOf = (...values: readonly ColumnValue[]): Row => Object.fromEntries(values.map((value, i) => [`c${i}`, value]))
const packerOf = (table: AppendTable<Row>) => new CopyPacker(table as AppendTable<never>)
const textOf = ({ chunks }: PackedRows) => Buffer.concat(chunks).toString()

/** The text of COPY by its definition. */
const copyText = (table: AppendTable<Row>, rows: readonly Row[]) =>
  rows
    .map((row) => {
      const cells = table.columns.map((column) => columnText('t', column, row))
      const escaped = cells.map((cell) =>
        cell === null
          ? '\\N'
          : cell.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t'),
      )
      return `${escaped.join('\t')}\n`
    })
    .join('')

const anyText = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0x20, max: 0x7e }),
      fc.constantFrom(0, 9, 10, 13, 0x5c, 0x241b, 0xd800, 0xdc00, 0x4e, 0x80, 0xff),
    ),
    { maxLength: 400 },
  )
  .map((units) => String.fromCharCode(...units))
const asciiText = fc
  .array(fc.oneof(fc.integer({ min: 1, max: 0x7f }), fc.constantFrom(0x5c, 9, 10, 13)), { maxLength: 300 })
  .map((units) => String.fromCharCode(...units))

const values: Readonly<Record<ColumnType, fc.Arbitrary<ColumnValue>>> = {
  text: fc.oneof(anyText, asciiText),
  integer: fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
  bigint: fc.oneof(
    fc.maxSafeInteger(),
    fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
    fc.constantFrom(0, -0, 9, 10, 99, 100, 2_147_483_647, 2_147_483_648, -2_147_483_647, -2_147_483_648),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ),
  numeric: fc.oneof(
    fc.constantFrom('0.100', '-12', '123456789012345678901234567890.5', '-0.0', '7'),
    fc.bigInt(),
    fc.integer(),
  ),
  'double precision': fc.double(),
  boolean: fc.boolean(),
  timestamptz: fc.oneof(
    fc.integer({ min: 1_436_918_400_000, max: 1_436_918_403_000 }),
    fc.integer({ min: -210_866_803_200_000, max: 8_640_000_000_000_000 }),
    fc.constantFrom(-1, 0, 999, 1_000, 253_402_300_799_999, 253_402_300_800_000, -62_167_219_200_001),
  ),
  jsonb: fc.oneof(
    fc.json(),
    anyText.map((text) => JSON.stringify(text)),
    anyText.map((text) => `["\\u0000${text.replace(/[^a-z]/g, '')}\\udead"]`),
  ),
}
const types = Object.keys(values) as ColumnType[]
const nullable = (type: ColumnType) => fc.oneof({ weight: 9, arbitrary: values[type] }, fc.constant(null))

const tableAndRows = fc
  .array(fc.constantFrom(...types), { minLength: 1, maxLength: 6 })
  .chain((chosen) =>
    fc
      .array(fc.tuple(...chosen.map(nullable)), { maxLength: 20 })
      .map((rows) => ({ table: tableOf(...chosen), rows: rows.map((row) => rowOf(...row)) })),
  )

describe('CopyPacker', () => {
  it('writes the same without leave to make code at run time', () => {
    fc.assert(
      fc.property(tableAndRows, ({ table, rows }) => {
        const columns = table.columns as readonly Column<unknown>[]
        const written = [compiledWriter(columns), walkingWriter(columns)].map((write) => {
          const chunks = new CopyChunks()
          const cells = new CopyCells('t', columns, chunks)
          const asked = { column: -1 }
          for (const row of rows) {
            write?.(cells, row, asked)
            chunks.endRow(chunks.begunBytes)
          }
          return textOf(chunks.take(rows.length))
        })
        expect(written).toEqual([copyText(table, rows), copyText(table, rows)])
      }),
      { numRuns: 200 },
    )
  })

  it('tells a column that throws from one whose value is wrong, and asks it as a method of itself', () => {
    const own = {
      name: 'a',
      type: 'bigint',
      field: 'n',
      of(row: Row) {
        return row[this.field] as ColumnValue
      },
    } as const
    const broken: Column<Row> = { name: 'b', type: 'text', of: (row) => (row.b as string).trim() }
    const packer = packerOf({ mode: 'append', name: 't', columns: [own, broken] })
    packer.add({ n: 7, b: ' x' })
    expect(() => packer.add({ n: 8 })).toThrow(/^table t, column b: TypeError: /)
    expect(() => packer.add({ n: 'x', b: 'y' })).toThrow(/^table t, column a: "x" is no bigint/)
    expect(textOf(packer.take())).toBe('7\tx\n')
  })

  it('makes of any rows the text that COPY reads', () => {
    fc.assert(
      fc.property(tableAndRows, ({ table, rows }) => {
        const packer = packerOf(table)
        for (const row of rows) packer.add(row)
        const expected = copyText(table, rows)
        expect(packer.count).toBe(rows.length)
        expect(packer.bytes).toBe(Buffer.byteLength(expected))
        const packed = packer.take()
        expect(packed.count).toBe(rows.length)
        expect(textOf(packed)).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps rows whole where chunks end, long ones too, and begins anew when they are taken', () => {
    const table = tableOf('text', 'bigint', 'text')
    const packer = packerOf(table)
    let before: { readonly packed: PackedRows; readonly expected: string } | null = null
    for (const round of [1, 2, 3, 4, 5]) {
      const rows = Array.from({ length: 3_000 }, (_, i) =>
        rowOf('\\'.repeat(i % 251), i * round, round === 2 && i === 7 ? '€\t'.repeat(100_000) : 'y'),
      )
      for (const row of rows) packer.add(row)
      const packed = packer.take()
      const expected = copyText(table, rows)
      expect(textOf(packed) === expected).toBe(true)
      expect(packer.count).toBe(0)
      expect(packer.bytes).toBe(0)
      // What is on its way to the database stays as it is while the next is packed, which may use the memory of what was stored.
      if (before !== null) {
        expect(textOf(before.packed) === before.expected).toBe(true)
        before.packed.release()
      }
      before = { packed, expected }
    }
  })

  it('takes nothing of a row that the table cannot hold, wherever in the row that is found', () => {
    const table = tableOf('text', 'bigint')
    const packer = packerOf(table)
    const rows: Row[] = []
    for (let i = 0; i < 5_000; i += 1) {
      const good = rowOf('z'.repeat(i % 97), i)
      packer.add(good)
      rows.push(good)
      expect(() => packer.add(rowOf('q'.repeat(i % 89), 0.5))).toThrow(BadRowError)
    }
    expect(packer.count).toBe(rows.length)
    expect(textOf(packer.take()) === copyText(table, rows)).toBe(true)
  })

  it('says which column cannot hold which value', () => {
    const packer = packerOf(tableOf('text', 'integer', 'timestamptz'))
    expect(() => packer.add(rowOf('a', 2 ** 31, 0))).toThrow(/table t, column c1: 2147483648 is no integer/)
    expect(() => packer.add(rowOf('a', 1, Number.NaN))).toThrow(/table t, column c2: NaN is no timestamptz/)
    expect(() => packer.add(rowOf(1, 1, 0))).toThrow(/table t, column c0: 1 is no text/)
    const numbers = packerOf(tableOf('numeric'))
    for (const text of ['', '-', '.5', '5.', '-.5', '1.2.3', '1-2', '--1', '1e5', '１', ' 1', '1\n', 'NaN'])
      expect(() => numbers.add(rowOf(text))).toThrow(/column c0: .* is no numeric/s)
    expect(() => packer.add(withdrawn(rowOf('a', 1, 0)))).toThrow(/none can be taken back/)
    expect(packer.take()).toMatchObject({ count: 0, chunks: [] })
  })
})
