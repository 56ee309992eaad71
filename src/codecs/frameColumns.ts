import type { z } from 'zod'
import type { TextColumn } from '../runtime/spans/lentColumn.ts'
import { wasmColumns } from './columns/wasmColumns.ts'
import { ReaderColumns } from './readerColumns.ts'

/**
 * Frames of one zod schema, many read in one call: what was read of them is in columns, one for each slot of the schema (`slot` of `SchemaReader`), a row a frame. They hold it until another frame is read into
 * the row.
 */
export interface FrameColumns {
  /**
   * Reads frame i at `[starts[i], starts[i] + lengths[i])` of the buffer, for `from` up to, not including, `to`; a negative length is no frame. Frame i goes into row `firstRow + i`, 0 if left out; other rows keep what
   * they have, save that the layouts of some may become 0. Never throws.
   */
  read(buffer: Buffer, starts: Int32Array, lengths: Int32Array, from: number, to: number, firstRow?: number): void
  /** By row: 0 where it was not read and somebody else has to be asked, otherwise the number of its layout, from 1. */
  readonly layouts: Uint8Array
  /** The slot of a field, by its path (`data.p`). Throws RangeError where there is none. */
  slot(path: string): number
  /** Whether frames of the layout have the optional field. */
  has(layout: number, slot: number): boolean
  /** Whether frames of the layout have `null` in the field's place. */
  isNull(layout: number, slot: number): boolean
  /** Ints and other numbers, decimals in counts of 1e-8, booleans as 0 and 1. A frame with a count that is no safe integer is not read. */
  numbers(slot: number): Float64Array
  /** The texts by row, of rows whose layout has the field, and no `null` in its place. */
  texts(slot: number): TextColumn
  /** The texts of the field that has this text in that row; null where none has it, or texts have no numbers. */
  textsWith(text: string, row: number): TextColumn | null
}

/** Columns of so many frames of the schema: by WebAssembly, and where that is not to be had by a reader that takes one frame after the other. */
export function frameColumns(schema: z.ZodType, rows: number): FrameColumns {
  return wasmColumns(schema, rows) ?? new ReaderColumns(schema, rows)
}
