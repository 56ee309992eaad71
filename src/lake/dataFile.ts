import { createHash } from 'node:crypto'
import { BadRowError } from '../runtime/badRow.ts'
import type { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import { dayFolder } from './icebergSchema.ts'
import { fullName, type LakeColumn, type LakeRow, type LakeTable } from './lakeTable.ts'
import { type ColumnChunk, ParquetColumn } from './parquet/parquetColumn.ts'
import { parquetFile } from './parquet/parquetFile.ts'

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
/** One more file from here on. */
export const rowsPerFile = 262_144

/**
 * Parquet files of the rows, in their order: one for each day, or several where there are many rows. Two files of the same rows are called the same.
 * @throws BadRowError where a row does not fit the columns
 */
export function dataFiles(table: LakeTable, rows: readonly LakeRow[]): readonly DataFile[] {
  const byDay = Map.groupBy(rows, (row) => {
    const time = table.day === null ? null : row[table.day]
    return typeof time === 'number' ? Math.floor(time / dayMs) : null
  })
  const files: DataFile[] = []
  for (const [day, ofDay] of [...byDay].sort(([a], [b]) => (a ?? 0) - (b ?? 0))) {
    for (let at = 0; at < ofDay.length; at += rowsPerFile) {
      const file = new DataFileWriter(table)
      file.addRows(ofDay.slice(at, at + rowsPerFile))
      files.push(file.finish(day))
    }
  }
  return files
}

/** Makes files of rows as they come, one after the other. Holds the pages of the file at hand, which are compressed, and one page of each column. */
export class DataFileWriter {
  readonly #table: LakeTable
  readonly #columns: readonly ParquetColumn[]
  /** Of the file at hand. */
  rowCount = 0

  constructor(table: LakeTable) {
    this.#table = table
    this.#columns = table.columns.map((column) => new ParquetColumn(column))
  }

  /** @throws BadRowError where a row does not fit the columns */
  addRows(rows: readonly LakeRow[]): void {
    for (const one of this.#columns) {
      for (const row of rows) {
        const value = row[one.column.name] ?? null
        if (!one.add(value)) throw badValue(this.#table, one.column, value)
      }
    }
    this.rowCount += rows.length
  }

  /**
   * Adds a row as the server sends it, a field for each column in their order.
   * @param key instead of fields of the first columns
   * @throws BadRowError where it does not fit the columns
   */
  addRow(row: BinaryRow, key: readonly string[] = []): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const one = this.#columns[i] as ParquetColumn
      const text = key[i]
      if (text === undefined ? one.addField(row) : one.add(text)) continue
      const found = row.length < 0 ? 'null' : `a value of row ${this.rowCount + 1} of the file`
      throw new BadRowError(
        `lake table ${fullName(this.#table)}, column ${one.column.name}: ${found} is no ${one.column.type}`,
      )
    }
    this.rowCount += 1
  }

  /**
   * The file of the rows since the last one.
   * @param day since 1970, UTC, that all of them are of; null in a table that is not cut
   */
  finish(day: number | null): DataFile {
    const { rowCount } = this
    const chunks = this.#columns.map((one): readonly [LakeColumn, ColumnChunk] => [one.column, one.finish()])
    this.rowCount = 0
    const body = parquetFile(chunks, rowCount)
    const sha256 = createHash('sha256').update(body).digest('hex')
    const folder = day === null ? '' : `${dayFolder(this.#table)}${new Date(day * dayMs).toISOString().slice(0, 10)}/`
    const byId = <V>(of: (chunk: ColumnChunk) => V | undefined) =>
      Object.fromEntries(
        chunks.flatMap(([, chunk], i) => {
          const value = of(chunk)
          return value === undefined ? [] : [[String(i + 1), value]]
        }),
      )
    return {
      path: `data/${folder}${sha256}.parquet`,
      day,
      rowCount,
      sizeBytes: body.length,
      sha256,
      nullCounts: byId(({ nullCount }) => nullCount),
      lower: byId(({ bounds }) => bounds?.single.lower.toString('base64')),
      upper: byId(({ bounds }) => bounds?.single.upper.toString('base64')),
      body,
    }
  }
}

function badValue(table: LakeTable, { name, type }: LakeColumn, value: unknown): BadRowError {
  const shown = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value)?.slice(0, 100) ?? typeof value)
  return new BadRowError(`lake table ${fullName(table)}, column ${name}: ${shown} is no ${type}`)
}
