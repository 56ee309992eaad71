import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import { parquetWriteBuffer, type SchemaElement } from 'hyparquet-writer'
import { columnValues } from './columnValues.ts'
import { decimalOf, type LakeColumn, type LakeRow, type LakeTable } from './lakeTable.ts'

/** What is known of a data file: one row of `lake_file`. */
export interface FileFacts {
  /** Below the table's location. */
  readonly path: string
  /** Days since 1970, UTC; null in a table that is not cut. */
  readonly day: number | null
  readonly rowCount: number
  readonly sizeBytes: number
  /** Lower-case hex. */
  readonly sha256: string
  /** By field id. */
  readonly nullCounts: Readonly<Record<string, number>>
  /** By field id, base64 of the single value. */
  readonly lower: Readonly<Record<string, string>>
  /** By field id, base64 of the single value. */
  readonly upper: Readonly<Record<string, string>>
}

/** A data file that is to be added. */
export interface DataFile extends FileFacts {
  readonly body: Buffer
}

const dayMs = 86_400_000
const rowGroupRows = 122_880
/** One more file from here on. */
const rowsPerFile = 1_000_000

/**
 * Parquet files of the rows, in their order: one for each day, or several where there are many rows. Two files of the same rows are called the same.
 * @throws BadRowError where a row does not fit the columns
 */
export function dataFiles(table: LakeTable, rows: readonly LakeRow[]): readonly DataFile[] {
  const byDay = new Map<number | null, LakeRow[]>()
  for (const row of rows) {
    const time = table.day === null ? null : row[table.day]
    const day = typeof time === 'number' ? Math.floor(time / dayMs) : null
    const known = byDay.get(day)
    if (known === undefined) byDay.set(day, [row])
    else known.push(row)
  }
  const files: DataFile[] = []
  for (const [day, ofDay] of [...byDay].sort(([a], [b]) => (a ?? 0) - (b ?? 0))) {
    for (let at = 0; at < ofDay.length; at += rowsPerFile) {
      files.push(dataFile(table, day, ofDay.slice(at, at + rowsPerFile)))
    }
  }
  return files
}

function dataFile(table: LakeTable, day: number | null, rows: readonly LakeRow[]): DataFile {
  const columns = table.columns.map((column) => columnValues(table, column, rows))
  const written = parquetWriteBuffer({
    schema: [
      { name: 'root', num_children: table.columns.length },
      ...table.columns.map((column, i) => elementOf(column, i + 1)),
    ],
    codec: 'ZSTD',
    compressors: { ZSTD: compress },
    rowGroupSize: rowGroupRows,
    createdBy: 'millrace',
    columnData: table.columns.map(({ name }, i) => ({ name, data: [...(columns[i]?.values ?? [])] })),
  })
  const body = Buffer.from(written)
  const sha256 = createHash('sha256').update(body).digest('hex')
  const folder = day === null ? '' : `${table.day}_day=${new Date(day * dayMs).toISOString().slice(0, 10)}/`
  const byId = <V>(of: (column: (typeof columns)[number]) => V | undefined) =>
    Object.fromEntries(
      columns.flatMap((column, i) => (of(column) === undefined ? [] : [[String(i + 1), of(column)]])),
    ) as Record<string, V>
  return {
    path: `data/${folder}${sha256}.parquet`,
    day,
    rowCount: rows.length,
    sizeBytes: body.length,
    sha256,
    nullCounts: byId(({ nullCount }) => nullCount),
    lower: byId(({ bounds }) => bounds?.lower.toString('base64')),
    upper: byId(({ bounds }) => bounds?.upper.toString('base64')),
    body,
  }
}

function compress(input: Uint8Array): Uint8Array {
  return zlib.zstdCompressSync(input, { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } })
}

function elementOf(column: LakeColumn, id: number): SchemaElement {
  const element = {
    name: column.name,
    repetition_type: column.isOptional ? ('OPTIONAL' as const) : ('REQUIRED' as const),
    field_id: id,
  }
  switch (column.type) {
    case 'string':
      return { ...element, type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } }
    case 'boolean':
      return { ...element, type: 'BOOLEAN' }
    case 'int':
      return { ...element, type: 'INT32' }
    case 'long':
      return { ...element, type: 'INT64' }
    case 'double':
      return { ...element, type: 'DOUBLE' }
    case 'timestamptz':
      return {
        ...element,
        type: 'INT64',
        converted_type: 'TIMESTAMP_MICROS',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      }
  }
  const { precision, scale } = decimalOf(column.type) as { precision: number; scale: number }
  const decimal = {
    // DuckDB reads a decimal of fixed length as a blob without the older name.
    converted_type: 'DECIMAL' as const,
    precision,
    scale,
    logical_type: { type: 'DECIMAL' as const, precision, scale },
  }
  if (precision <= 18) return { ...element, type: 'INT64', ...decimal }
  return { ...element, type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, ...decimal }
}
