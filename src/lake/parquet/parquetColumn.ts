import zlib from 'node:zlib'
import { GrowingBytes } from '../../runtime/growingBytes.ts'
import type { BinaryRow } from '../../sinks/postgres/binaryRow.ts'
import type { LakeColumn, LakeValue } from '../lakeTable.ts'
import { type ColumnBounds, type ColumnEncoding, encodingOf } from './columnEncoding.ts'
import { compactThrift, putVarint } from './compactThrift.ts'

/** Rows of a page, which a reader unpacks at once. */
const pageRows = 32_768
const plain = 0
const runLength = 3
const dataPage = 0
/** What is packed to no good: a frame and who makes it cost more than such a page has to spare. */
const smallBytes = 1_024

/** A column of a file, whole. */
export interface ColumnChunk {
  /** Its pages one behind the other. */
  readonly pages: readonly Buffer[]
  /** Whether the pages are frames of Zstandard, and not as they are. */
  readonly isPacked: boolean
  readonly compressedBytes: number
  /** With the headers of the pages, which are not compressed. */
  readonly plainBytes: number
  readonly nullCount: number
  readonly bounds: ColumnBounds | null
}

/** Takes the values of a column one by one, and makes pages of them. Holds room for one page of values, and those that are ready. */
export class ParquetColumn {
  readonly column: LakeColumn
  #encoding: ColumnEncoding
  readonly #bytes = new GrowingBytes()
  /** Which rows of the page have a value; null where all must. */
  readonly #isThere: GrowingBytes | null
  #pages: Buffer[] = []
  #isPacked = false
  #rows = 0
  #nulls = 0
  #nullCount = 0
  #plainBytes = 0

  constructor(column: LakeColumn) {
    this.column = column
    this.#encoding = encodingOf(column.type)
    this.#isThere = column.isOptional ? new GrowingBytes() : null
  }

  /** False for what the column cannot hold. */
  add(value: LakeValue): boolean {
    if (value === null) return this.#addNull()
    return this.#encoding.put(this.#bytes, value) && this.#countRow(1)
  }

  /** The next field of the row, as PostgreSQL sends it; false for what the column cannot hold. */
  addField(row: BinaryRow): boolean {
    return row.next() ? this.#encoding.putField(this.#bytes, row) && this.#countRow(1) : this.#addNull()
  }

  #addNull(): boolean {
    if (!this.column.isOptional) return false
    this.#nulls += 1
    return this.#countRow(0)
  }

  #countRow(isThere: 0 | 1): true {
    if (this.#isThere !== null) {
      this.#isThere.room(1)[this.#isThere.length] = isThere
      this.#isThere.length += 1
    }
    this.#rows += 1
    if (this.#rows === pageRows) this.#endPage()
    return true
  }

  #endPage(): void {
    if (this.#rows === 0) return
    this.#encoding.endPage(this.#bytes)
    const levels = this.#isThere === null ? null : levelsOf(this.#isThere.all, this.#nulls)
    const body = levels === null ? this.#bytes.all : Buffer.concat([levels, this.#bytes.all])
    // All pages of a column are packed, or none.
    const isPacked = this.#pages.length > 0 || this.#rows === pageRows || body.length > smallBytes
    const packed = isPacked
      ? zlib.zstdCompressSync(body, { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } })
      : Buffer.from(body)
    const header = compactThrift([
      [1, { i32: dataPage }],
      [2, { i32: body.length }],
      [3, { i32: packed.length }],
      [
        5,
        {
          struct: [
            [1, { i32: this.#rows }],
            [2, { i32: plain }],
            [3, { i32: runLength }],
            [4, { i32: runLength }],
          ],
        },
      ],
    ])
    this.#pages.push(header, packed)
    this.#isPacked = isPacked
    this.#plainBytes += header.length + body.length
    this.#nullCount += this.#nulls
    this.#rows = 0
    this.#nulls = 0
    this.#bytes.clear()
    this.#isThere?.clear()
  }

  /** All since the last call. */
  finish(): ColumnChunk {
    this.#endPage()
    const pages = this.#pages
    const chunk = {
      pages,
      isPacked: this.#isPacked,
      compressedBytes: pages.reduce((sum, { length }) => sum + length, 0),
      plainBytes: this.#plainBytes,
      nullCount: this.#nullCount,
      bounds: this.#encoding.bounds(),
    }
    this.#pages = []
    this.#plainBytes = 0
    this.#nullCount = 0
    this.#encoding = encodingOf(this.column.type)
    return chunk
  }
}

/** Which rows have a value, as Parquet's levels of definition: behind their length in bytes. */
function levelsOf(isThere: Uint8Array, nulls: number): Buffer {
  const bytes: number[] = []
  if (nulls === 0 || nulls === isThere.length) {
    putVarint(bytes, isThere.length << 1)
    bytes.push(nulls === 0 ? 1 : 0)
  } else {
    const groups = Math.ceil(isThere.length / 8)
    putVarint(bytes, (groups << 1) | 1)
    for (let group = 0; group < groups; group++) {
      let bits = 0
      for (let i = 0; i < 8; i++) bits |= (isThere[8 * group + i] ?? 0) << i
      bytes.push(bits)
    }
  }
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return Buffer.concat([length, Buffer.from(bytes)])
}
