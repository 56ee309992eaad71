import { createHash } from 'node:crypto'
import { BadRowError } from '../runtime/badRow.ts'
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
      const file = new DataFileWriter(table, day)
      file.addRows(ofDay.slice(at, at + rowsPerFile))
      files.push(file.finish())
    }
  }
  return files
}

/** Makes one file of rows as they come. Holds its pages, which are compressed, and one page of each column. */
export class DataFileWriter {
  readonly #table: LakeTable
  readonly #day: number | null
  readonly #columns: readonly ParquetColumn[]
  rowCount = 0

  /** @param day since 1970, UTC, that all rows are of; null in a table that is not cut */
  constructor(table: LakeTable, day: number | null) {
    this.#table = table
    this.#day = day
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
   * Adds rows as the server tells them, column by column: values with a comma between, nothing for null; those of texts as a list in JSON.
   * @throws BadRowError where a row does not fit the columns
   */
  addColumns(texts: readonly string[], rowCount: number): void {
    this.#columns.forEach((one, i) => {
      const text = texts[i] as string
      const added = one.column.type === 'string' ? this.#addList(one, text) : this.#addJoined(one, text)
      if (added !== rowCount) throw new Error(`bug: column ${one.column.name} has ${added} values, not ${rowCount}`)
    })
    this.rowCount += rowCount
  }

  #addList(column: ParquetColumn, text: string): number {
    const values = JSON.parse(text) as readonly (string | null)[]
    for (const value of values) if (!column.add(value)) throw badValue(this.#table, column.column, value)
    return values.length
  }

  #addJoined(column: ParquetColumn, text: string): number {
    let count = 0
    for (let start = 0; start <= text.length; count++) {
      const comma = text.indexOf(',', start)
      const end = comma < 0 ? text.length : comma
      const isAdded = end === start ? column.add(null) : column.addText(text, start, end)
      if (!isAdded) throw badValue(this.#table, column.column, end === start ? null : text.slice(start, end))
      start = end + 1
    }
    return count
  }

  finish(): DataFile {
    const chunks = this.#columns.map((one): readonly [LakeColumn, ColumnChunk] => [one.column, one.finish()])
    const body = parquetFile(chunks, this.rowCount)
    const sha256 = createHash('sha256').update(body).digest('hex')
    const day = this.#day
    const folder = day === null ? '' : `${this.#table.day}_day=${new Date(day * dayMs).toISOString().slice(0, 10)}/`
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
      rowCount: this.rowCount,
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
