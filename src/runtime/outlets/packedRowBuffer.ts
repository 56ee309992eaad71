import { BadRowError } from '../badRow.ts'
import { Batch } from '../batch.ts'
import type { RowPacker } from '../store/packedRows.ts'
import type { AppendTable } from '../store/table.ts'
import type { ResultBuffer } from './resultBuffer.ts'
import type { TakenRows } from './rowBuffer.ts'

/** The rows of one outlet between two cuts, of an append table whose store takes them packed. Keeps their bytes until they are taken, and none of the rows. */
export class PackedRowBuffer implements ResultBuffer {
  readonly badReason = 'bad-row'
  readonly findsBadAtOnce = true
  readonly name: string
  readonly #table: AppendTable<unknown>
  readonly #packer: RowPacker

  constructor(name: string, table: AppendTable<never>, packer: RowPacker) {
    this.name = name
    this.#table = table as AppendTable<unknown>
    this.#packer = packer
  }

  get size(): number {
    return this.#packer.count
  }

  get bytes(): number {
    return this.#packer.bytes
  }

  add(row: unknown, onBad: ((detail: string) => void) | null): void {
    if (row instanceof Batch) for (const one of row) this.#add(one, onBad)
    else this.#add(row, onBad)
  }

  /** Rows that are added never replace each other. */
  isMixedBy(): boolean {
    return false
  }

  /** What has come together, or null. */
  take(): TakenRows | null {
    if (this.#packer.count === 0) return null
    // Rows that are added are nobody else's, whatever has made them.
    return { write: { table: this.#table, rows: [], packed: this.#packer.take() }, makers: [] }
  }

  #add(row: unknown, onBad: ((detail: string) => void) | null): void {
    try {
      this.#packer.add(row)
    } catch (error) {
      if (onBad === null || !(error instanceof BadRowError)) throw error
      onBad(error.message)
    }
  }
}
