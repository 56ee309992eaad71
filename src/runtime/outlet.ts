import type { Observable } from 'rxjs'
import type { Batch } from './batch.ts'
import type { RowText, Table } from './table.ts'

/**
 * The end of a stream in a pipeline: rows for a table, written in the transaction of the next checkpoint.
 *
 * Made by `toPostgres`, which is where the row type of the stream and of the table must agree; here the table's is no longer told.
 */
export interface Outlet<Row> {
  /** Where the rows go. */
  readonly table: Table<never>
  /** Single rows, or batches of them. */
  readonly rows: Observable<Row | Batch<Row>>
  /** Gives the row as it will be written. Throws `BadRowError` on one that the table cannot hold, which is set aside as `bad-row`. */
  readonly render?: (row: never) => RowText
}
