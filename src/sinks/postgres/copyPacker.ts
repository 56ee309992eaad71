import { compiled } from '../../runtime/compiled.ts'
import { mostAhead } from '../../runtime/log/readAhead.ts'
import type { Lent } from '../../runtime/spans/lent.ts'
import type { PackedRows, SpanPacker } from '../../runtime/store/packedRows.ts'
import type { AppendTable, Column } from '../../runtime/store/table.ts'
import { Withdrawn } from '../../runtime/withdrawn.ts'
import { rowText, throwingColumn } from './columnText.ts'
import { CopyCells, writers } from './copyCells.ts'
import { CopyChunks } from './copyChunks.ts'
import { lentWriter, type WriteLent } from './lentCells.ts'

/** Writes one row. `asked.column` is the column that is being asked, -1 while none is. */
type WriteRow = (cells: CopyCells, row: unknown, asked: { column: number }) => void

/**
 * Makes rows of an append table the text that COPY reads, each when it comes: what waits for a checkpoint is some bytes then and no objects, which the garbage collector would copy and mark while they wait.
 *
 * Keeps the bytes until they are taken, and some memory for what comes next (`CopyChunks`).
 */
export class CopyPacker implements SpanPacker {
  count = 0
  readonly #table: AppendTable<unknown>
  readonly #chunks = new CopyChunks()
  readonly #cells: CopyCells
  readonly #write: WriteRow
  readonly #asked = { column: -1 }
  /** Who lent rows last, and what writes its rows. */
  #lent: Lent<unknown> | null = null
  #writeLent: WriteLent = () => undefined
  /** Of the rows that were looked at: how many bytes they take up to the end of each. */
  readonly #ends = new Int32Array(mostAhead)

  constructor(table: AppendTable<never>) {
    this.#table = table as AppendTable<unknown>
    const { name, columns } = this.#table
    this.#cells = new CopyCells(name, columns, this.#chunks)
    this.#write = compiledWriter(columns) ?? walkingWriter(columns)
  }

  get bytes(): number {
    return this.#chunks.bytes
  }

  add(row: unknown): void {
    // Says why not.
    if (row instanceof Withdrawn) rowText(this.#table, row)
    const asked = this.#asked
    this.#chunks.dropRow()
    try {
      this.#write(this.#cells, row, asked)
    } catch (error) {
      this.#chunks.dropRow()
      const column = this.#table.columns[asked.column]
      asked.column = -1
      throw column === undefined ? error : throwingColumn(this.#table.name, column, error)
    }
    this.#chunks.endRow(this.#chunks.begunBytes)
    this.count += 1
  }

  look(rows: Lent<unknown>, records: Int32Array, count: number, mostBytes: number): number {
    const chunks = this.#chunks
    const cells = this.#cells
    const ends = this.#ends
    chunks.dropRow()
    if (this.#lent !== rows) {
      this.#lent = rows
      this.#writeLent = lentWriter(this.#table.columns, rows)
    }
    const write = this.#writeLent
    let written = 0
    try {
      for (let before = 0; written < count; written += 1) {
        write(cells, records[written] as number)
        const end = chunks.begunBytes
        if (end - before > mostBytes) break
        ends[written] = end
        before = end
      }
    } catch {
      // The row comes again by itself, and what it throws is told then.
    }
    return written
  }

  keep(count: number): void {
    if (count > 0) this.#chunks.endRow(this.#ends[count - 1] as number)
    this.#chunks.dropRow()
    this.count += count
  }

  take(): PackedRows {
    const { count } = this
    this.#chunks.dropRow()
    this.count = 0
    return this.#chunks.take(count)
  }
}

/** In code of its own each column is asked at a place of its own, which the compiler knows. */
export function compiledWriter(columns: readonly Column<unknown>[]): WriteRow | null {
  const cells = columns.map(
    ({ type }, i) =>
      `${i === 0 ? '' : 'cells.tab();'}asked.column=${i};value=c${i}.of(row);asked.column=-1;` +
      `if(value===null)cells.null();else cells.${writers[type]}(value,${i},row);`,
  )
  return compiled<WriteRow>(
    columns.map((_, i) => `c${i}`),
    columns,
    `return(cells,row,asked)=>{let value;${cells.join('')}cells.end()}`,
  )
}

export function walkingWriter(columns: readonly Column<unknown>[]): WriteRow {
  return (cells, row, asked) => {
    for (const [i, column] of columns.entries()) {
      if (i > 0) cells.tab()
      asked.column = i
      const value = column.of(row)
      asked.column = -1
      if (value === null) cells.null()
      else cells[writers[column.type]](value, i, row)
    }
    cells.end()
  }
}

/** The rows as the packer has them, all at once: one that the table cannot hold is found before anything is sent. */
export function packedRows(table: AppendTable<never>, rows: readonly unknown[]): PackedRows {
  const packer = new CopyPacker(table)
  for (const row of rows) packer.add(row)
  return packer.take()
}
