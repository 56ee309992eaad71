/** The types of PostgreSQL that a column may have. */
export type ColumnType =
  | 'text'
  | 'integer'
  | 'bigint'
  | 'numeric'
  | 'double precision'
  | 'boolean'
  | 'timestamptz'
  | 'jsonb'

/** What a column holds at the edge: numerics as exact text, times as ms UTC. */
export type ColumnValue = string | number | bigint | boolean | null

/** One column of a table, and what a row has in it. `name` is the column's own, unquoted. */
export interface Column<Row> {
  readonly name: string
  readonly type: ColumnType
  /** What the row has in the column: the same for the same row, since a replay writes it again. Reads the row and does not keep it: another one may be shown through the same object afterwards. */
  readonly of: (row: Row) => ColumnValue
}

/** A row as text, column by column; null for NULL. */
export type RowText = readonly (string | null)[]

interface TableShape<Row> {
  /** Unquoted, without a schema. */
  readonly name: string
  /** In the order in which they are written; at least one. */
  readonly columns: readonly Column<Row>[]
}

/**
 * Rows are inserted, or replace the row of the same natural key when their revision is not older. Writing the same rows
 * twice, or an older one after a newer one, changes nothing.
 */
export interface UpsertTable<Row> extends TableShape<Row> {
  /** Tells it from an append table. */
  readonly mode: 'upsert'
  readonly key: readonly string[]
  /** Name of the integer column that decides which of two rows is newer. */
  readonly revision: string
  /**
   * True for a table that several pipelines write, each keys of its own: a start is not refused because another has rows in it. A row still belongs to the task that wrote
   * it first.
   */
  readonly isShared?: boolean
}

/** Rows are only ever added (in bulk); the transaction of the checkpoint is what keeps them from being added twice. */
export interface AppendTable<Row> extends TableShape<Row> {
  /** Tells it from an upsert table. */
  readonly mode: 'append'
}

/** A table as a pipeline sees it: data, not SQL, so that Postgres and the test kit can both stand behind it. */
export type Table<Row> = UpsertTable<Row> | AppendTable<Row>
