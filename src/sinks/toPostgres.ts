import type { Observable } from 'rxjs'
import type { Batch } from '../runtime/batch.ts'
import { checkArgument, needed } from '../runtime/options.ts'
import type { RowsOutlet } from '../runtime/pipeline/outlet.ts'
import type { Table } from '../runtime/store/table.ts'
import type { Withdrawn } from '../runtime/withdrawn.ts'
import { rowText } from './postgres/columnText.ts'
import { checkDescriptor } from './postgres/tableDescriptor.ts'

const aTable = needed.such(
  'a table, such as table(…) makes',
  (value) => typeof value === 'object' && value !== null && 'mode' in value && 'columns' in value,
)

/**
 * Ends a stream of a pipeline in a table: its rows are written in the transaction that stores the checkpoint, so each counts exactly once.
 *
 * Rows, or batches of them as `batchFlush` makes them, are kept from one checkpoint to the next; the worker's credit bounds how many. Any other array is a row. A row that
 * the table cannot hold, because a column throws or gives what is not of its type, is set aside as `bad-row`. An upsert table keeps the newest revision of each natural
 * key; an append table is filled by COPY. What was `withdrawn` deletes the row of its key, unless that is newer, in the same transaction; from an append table nothing can be taken back, and it is set
 * aside as `bad-row`.
 * @throws ConfigurationError on a table that is not well formed
 */
export function toPostgres<Row>(
  rows: Observable<Row | Withdrawn<Row> | Batch<Row | Withdrawn<Row>>>,
  table: Table<Row>,
): RowsOutlet<Row> {
  checkArgument('toPostgres', 'its first argument, the rows,', rows, needed.stream)
  checkArgument('toPostgres', 'its second argument', table, aTable)
  checkDescriptor(table)
  return { kind: 'rows', table, values: rows, render: (row: Row | Withdrawn<Row>) => rowText(table, row) }
}
