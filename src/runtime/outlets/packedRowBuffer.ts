import { BadRowError } from '../badRow.ts'
import { Batch } from '../batch.ts'
import type { Lent } from '../spans/lent.ts'
import type { RowPacker, SpanPacker } from '../store/packedRows.ts'
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
  /** The same, where it takes rows that are lent. */
  readonly #spans: SpanPacker | null

  constructor(name: string, table: AppendTable<never>, packer: RowPacker) {
    this.name = name
    this.#table = table as AppendTable<unknown>
    this.#packer = packer
    this.#spans = isSpanPacker(packer) ? packer : null
  }

  get takesLent(): boolean {
    return this.#spans !== null
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

  /** Looks at the rows of so many first of the records, none of which takes more bytes than `mostBytes`; gives how many can be kept. */
  look(rows: Lent<unknown>, records: Int32Array, count: number, mostBytes: number): number {
    return this.#spans?.look(rows, records, count, mostBytes) ?? 0
  }

  /** Takes so many first of those. */
  keep(count: number): void {
    this.#spans?.keep(count)
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

function isSpanPacker(packer: RowPacker): packer is SpanPacker {
  return 'look' in packer && 'keep' in packer
}
