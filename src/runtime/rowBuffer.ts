import { BadRowError } from './badRow.ts'
import { Batch } from './batch.ts'
import type { TableWrite } from './checkpoint.ts'
import type { AnyNode } from './operatorNode.ts'
import type { RowsOutlet } from './outlet.ts'
import type { ResultBuffer } from './resultBuffer.ts'
import { sizeOf } from './sizeOf.ts'
import type { RowText, Table } from './table.ts'

/** The rows of one outlet between two cuts. Keeps them until they are taken. */
export class RowBuffer implements ResultBuffer {
  readonly badReason = 'bad-row'
  readonly name: string
  readonly #table: Table<unknown>
  readonly #render: ((row: unknown) => RowText) | undefined
  /** The loose operator whose rows come here; undefined before the first row. */
  #stage: AnyNode | null | undefined = undefined
  #rows: unknown[] = []
  #texts: RowText[] = []
  #bytes = 0

  constructor(name: string, outlet: RowsOutlet<unknown>) {
    this.name = name
    this.#table = outlet.table as Table<unknown>
    this.#render = outlet.render as ((row: unknown) => RowText) | undefined
  }

  /** In rows. */
  get size(): number {
    return this.#rows.length
  }

  get bytes(): number {
    return this.#bytes
  }

  add(row: unknown, onBad: ((detail: string) => void) | null): void {
    if (row instanceof Batch) for (const one of row) this.#add(one, onBad)
    else this.#add(row, onBad)
  }

  isMixedBy(stage: AnyNode | null | undefined): boolean {
    if (stage === undefined) return false
    if (this.#stage === undefined) this.#stage = stage
    return this.#stage !== stage && this.#table.mode === 'upsert'
  }

  /** What has come together, or null. */
  take(): TableWrite | null {
    if (this.#rows.length === 0) return null
    const rows = this.#rows
    const texts = this.#texts
    this.#rows = []
    this.#texts = []
    this.#bytes = 0
    return texts.length < rows.length ? { table: this.#table, rows } : { table: this.#table, rows, texts }
  }

  #add(row: unknown, onBad: ((detail: string) => void) | null): void {
    if (onBad !== null && this.#render !== undefined) {
      try {
        this.#texts.push(this.#render(row))
      } catch (error) {
        if (!(error instanceof BadRowError)) throw error
        onBad(error.message)
        return
      }
    }
    this.#rows.push(row)
    this.#bytes += sizeOf(row)
  }
}
