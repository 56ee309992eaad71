import type { BinaryRow } from '../sinks/postgres/binaryRow.ts'

/** Rows of a table that somebody has read in the transaction of the lake's commit, as the server has sent them. */
export interface RowsAtHand {
  /** In PostgreSQL, without its schema. */
  readonly table: string
  /** Those of the key up to the time, and those behind them. */
  readonly columns: readonly string[]
  readonly series: readonly SeriesAtHand[]
}

/** All rows that have the same in the key but for the time, and are of the same day. */
export interface SeriesAtHand {
  /** Its midnight, ms UTC. */
  readonly day: number
  /** What they have in the key before the time. */
  readonly key: readonly string[]
  /** Reads them from the first one on. */
  reader(): SeriesReader
}

/** Walks rows in the order of their time. */
export interface SeriesReader {
  /** Moves to the next row, whose fields from the time on come next; false behind the last. */
  next(row: BinaryRow): boolean
}
