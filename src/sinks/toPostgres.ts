import type { Observable } from 'rxjs'
import type { Batch } from '../runtime/batch.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { Outlet } from '../runtime/outlet.ts'
import type { Table } from '../runtime/table.ts'
import { rowText } from './postgres/columnText.ts'

/**
 * Ends a stream of a pipeline in a table: its rows are written in the transaction that stores the checkpoint, so each counts exactly once.
 *
 * Rows, or batches of them as `batchFlush` makes them, are kept from one checkpoint to the next; the worker's credit bounds how many. Any other array is a row. A row that
 * the table cannot hold, because a column throws or gives what is not of its type, is set aside as `bad-row`. An upsert table keeps the newest revision of each natural
 * key; an append table is filled by COPY.
 * @throws ConfigurationError on a table that is not well formed
 */
export function toPostgres<Row>(rows: Observable<Row | Batch<Row>>, table: Table<Row>): Outlet<Row> {
  const names = table.columns.map((column) => column.name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (names.length === 0) throw new ConfigurationError(`table ${table.name} has no columns`)
  if (twice !== undefined) throw new ConfigurationError(`table ${table.name} has two columns called ${twice}`)
  if (table.mode === 'upsert') {
    const missing = [...table.key, table.revision].find((name) => !names.includes(name))
    if (missing !== undefined) {
      throw new ConfigurationError(
        `table ${table.name}: ${missing} is in its key or is its revision, but is not a column (${names.join(', ')})`,
      )
    }
    if (table.key.length === 0) throw new ConfigurationError(`table ${table.name}: an upsert table needs a natural key`)
  }
  return { table, rows, render: (row: Row) => rowText(table, row) }
}
