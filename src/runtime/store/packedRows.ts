import type { Lent } from '../spans/lent.ts'
import type { AppendTable } from './table.ts'

/** Rows of an append table as bytes, which the store that has packed them can read. */
export interface PackedRows {
  /** How many rows they are. */
  readonly count: number
  /** Their bytes, in order. */
  readonly chunks: readonly Uint8Array[]
  /** To be called once they are stored, and in the order in which they were taken: whoever has packed them uses the memory again. */
  readonly release: () => void
}

/** Packs the rows of one append table as they come, so that what waits for a checkpoint is bytes. Keeps them until they are taken. */
export interface RowPacker {
  /** How many rows have come since the last `take`. */
  readonly count: number
  /** What they take in memory. */
  readonly bytes: number
  /** Takes one row, or throws `BadRowError`, with nothing taken, where the table cannot hold it. */
  add(row: unknown): void
  /** Hands over what has come together. */
  take(): PackedRows
}

/** One that takes the rows of many records at once, where values that are lent are rows. */
export interface SpanPacker extends RowPacker {
  /**
   * Packs the rows of so many first of the records, up to one that the table cannot hold or that takes more bytes than `mostBytes`; gives how many. They are not there before they are kept, and whatever is asked of the packer meanwhile drops them.
   * @param rows lends them: `rows[place]` says of which record
   */
  look(rows: Lent<unknown>, records: Int32Array, count: number, mostBytes: number): number
  /** Takes so many first of those. */
  keep(count: number): void
}

/** Makes a packer for a table, of a store that takes its rows packed. */
export type OpenPacker = (table: AppendTable<never>) => RowPacker
