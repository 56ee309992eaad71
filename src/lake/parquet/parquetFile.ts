import { decimalOf, type LakeColumn } from '../lakeTable.ts'
import { compactThrift, type ThriftStruct, type ThriftValue } from './compactThrift.ts'
import type { ColumnChunk } from './parquetColumn.ts'

const magic = Buffer.from('PAR1')
/** Numbers of the format. @see "https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift" */
const physical = { boolean: 0, int32: 1, int64: 2, double: 5, bytes: 6, fixed: 7 } as const
const converted = { utf8: 0, decimal: 5, micros: 10 } as const
const repetition = { required: 0, optional: 1 } as const
const codecs = { none: 0, zstd: 6 } as const
const encodings = { plain: 0, runLength: 3 } as const

/** A Parquet file of one row group. The columns are in the order of their field ids, which count from 1. */
export function parquetFile(
  columns: readonly (readonly [column: LakeColumn, chunk: ColumnChunk])[],
  rowCount: number,
): Buffer {
  const parts: Buffer[] = [magic]
  let offset = magic.length
  const chunks = columns.map(([column, chunk]): ThriftValue => {
    const start = offset
    for (const page of chunk.pages) parts.push(page)
    offset += chunk.compressedBytes
    return {
      struct: [
        [2, { i64: start }],
        [3, { struct: chunkOf(column, chunk, rowCount, start) }],
      ],
    }
  })
  const plainBytes = columns.reduce((sum, [, chunk]) => sum + chunk.plainBytes, 0)
  const footer = compactThrift([
    [1, { i32: 2 }],
    [
      2,
      {
        list: [
          { struct: rootOf(columns.length) },
          ...columns.map(([column], i) => ({ struct: elementOf(column, i + 1) })),
        ],
      },
    ],
    [3, { i64: rowCount }],
    [
      4,
      {
        list: [
          {
            struct: [
              [1, { list: chunks }],
              [2, { i64: plainBytes }],
              [3, { i64: rowCount }],
              [5, { i64: magic.length }],
              [6, { i64: offset - magic.length }],
            ],
          },
        ],
      },
    ],
    [6, { text: 'millrace' }],
    // Least and greatest values are in the order of the type.
    [7, { list: columns.map(() => ({ struct: [[1, { struct: [] }]] })) }],
  ])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([...parts, footer, length, magic])
}

function chunkOf(column: LakeColumn, chunk: ColumnChunk, rowCount: number, start: number): ThriftStruct {
  const { bounds, nullCount, plainBytes, compressedBytes, isPacked } = chunk
  return [
    [1, { i32: physicalOf(column).type }],
    [2, { list: [{ i32: encodings.plain }, { i32: encodings.runLength }] }],
    [3, { list: [{ text: column.name }] }],
    [4, { i32: isPacked ? codecs.zstd : codecs.none }],
    [5, { i64: rowCount }],
    [6, { i64: plainBytes }],
    [7, { i64: compressedBytes }],
    [9, { i64: start }],
    [
      12,
      {
        struct: [
          [3, { i64: nullCount }],
          [5, bounds === null ? undefined : { bytes: bounds.plain.upper }],
          [6, bounds === null ? undefined : { bytes: bounds.plain.lower }],
        ],
      },
    ],
  ]
}

function rootOf(columns: number): ThriftStruct {
  return [
    [4, { text: 'root' }],
    [5, { i32: columns }],
  ]
}

function physicalOf({ type }: LakeColumn): { readonly type: number; readonly length?: number } {
  const exact = decimalOf(type)
  if (exact !== null) return exact.precision <= 18 ? { type: physical.int64 } : { type: physical.fixed, length: 16 }
  switch (type) {
    case 'boolean':
      return { type: physical.boolean }
    case 'int':
      return { type: physical.int32 }
    case 'double':
      return { type: physical.double }
    case 'string':
      return { type: physical.bytes }
    default:
      return { type: physical.int64 }
  }
}

function elementOf(column: LakeColumn, id: number): ThriftStruct {
  const { type, length } = physicalOf(column)
  const exact = decimalOf(column.type)
  const meaning = meaningOf(column)
  return [
    [1, { i32: type }],
    [2, length === undefined ? undefined : { i32: length }],
    [3, { i32: column.isOptional ? repetition.optional : repetition.required }],
    [4, { text: column.name }],
    // DuckDB reads a decimal of fixed length as a blob without the older name.
    [6, meaning === null ? undefined : { i32: meaning.older }],
    [7, exact === null ? undefined : { i32: exact.scale }],
    [8, exact === null ? undefined : { i32: exact.precision }],
    [9, { i32: id }],
    [10, meaning === null ? undefined : { struct: meaning.logical }],
  ]
}

/** What the bytes mean, in both ways in which the format says so. */
function meaningOf({ type }: LakeColumn): { readonly older: number; readonly logical: ThriftStruct } | null {
  const exact = decimalOf(type)
  if (exact !== null) {
    const decimal: ThriftStruct = [
      [1, { i32: exact.scale }],
      [2, { i32: exact.precision }],
    ]
    return { older: converted.decimal, logical: [[5, { struct: decimal }]] }
  }
  if (type === 'string') return { older: converted.utf8, logical: [[1, { struct: [] }]] }
  if (type !== 'timestamptz') return null
  const micros: ThriftStruct = [
    [1, { flag: true }],
    [2, { struct: [[2, { struct: [] }]] }],
  ]
  return { older: converted.micros, logical: [[8, { struct: micros }]] }
}
