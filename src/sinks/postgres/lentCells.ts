import { columnOf, type Lent, place } from '../../runtime/spans/lent.ts'
import type { Column, ColumnValue } from '../../runtime/store/table.ts'
import { type CopyCells, writers } from './copyCells.ts'

/** Writes the row of a record. Throws `BadRowError` for what a column cannot hold, and whatever a column throws that is asked. */
export type WriteLent = (cells: CopyCells, record: number) => void

/** Writes rows of one that lends them: from its columns where those of the table name such, which then need not become values, and by asking where they do not. */
export function lentWriter(columns: readonly Column<unknown>[], rows: Lent<unknown>): WriteLent {
  const parts = columns.map((column, i) => cellWriter(column, i, rows))
  return (cells, record) => {
    rows[place] = record
    for (let i = 0; i < parts.length; i += 1) {
      if (i > 0) cells.tab()
      ;(parts[i] as WriteLent)(cells, record)
    }
    cells.end()
  }
}

function cellWriter(column: Column<unknown>, i: number, rows: Lent<unknown>): WriteLent {
  const { type } = column
  const from = rows[columnOf](column.of)
  if (from?.kind === 'texts' && type === 'text') {
    const { texts } = from
    return (cells, record) => cells.textAt(texts, record, i, rows)
  }
  if (from?.kind === 'numbers' && (type === 'bigint' || type === 'timestamptz')) {
    const { numbers } = from
    return type === 'bigint'
      ? (cells, record) => cells.bigintAt(numbers, record, i, rows)
      : (cells, record) => cells.timestamptzAt(numbers, record, i, rows)
  }
  const write = writers[type]
  return (cells) => {
    const value = column.of(rows) as ColumnValue
    if (value === null) cells.null()
    else cells[write](value, i, rows)
  }
}
