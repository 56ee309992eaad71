import { BadRowError } from '../badRow.ts'
import { Batch } from '../batch.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import type { RowsOutlet } from '../pipeline/outlet.ts'
import { sizeOf } from '../sizeOf.ts'
import type { TableWrite } from '../store/checkpoint.ts'
import type { RowMaker } from '../store/foreignRows.ts'
import { rowKeys } from '../store/rowKey.ts'
import type { RowText, Table } from '../store/table.ts'
import type { IsElsewhere, ResultBuffer } from './resultBuffer.ts'

/** Rows of one outlet, and the window that made each, where one did. */
export interface TakenRows {
  readonly write: TableWrite
  readonly makers: readonly (RowMaker | null)[]
}

/** The rows of one outlet between two cuts. Keeps them until they are taken. */
export class RowBuffer implements ResultBuffer {
  readonly badReason = 'bad-row'
  readonly findsBadAtOnce = false
  readonly name: string
  readonly #table: Table<unknown>
  readonly #render: ((row: unknown) => RowText) | undefined
  /** The loose operator whose rows come here; undefined before the first row. */
  #stage: AnyNode | null | undefined = undefined
  readonly #keyOf: ((texts: RowText) => string) | null
  #rows: unknown[] = []
  #makers: (RowMaker | null)[] = []
  #texts: RowText[] = []
  #bytes = 0

  constructor(name: string, outlet: RowsOutlet<unknown>) {
    this.name = name
    this.#table = outlet.table as Table<unknown>
    this.#render = outlet.render as ((row: unknown) => RowText) | undefined
    this.#keyOf = outlet.table.mode === 'upsert' ? rowKeys(outlet.table) : null
  }

  /** In rows. */
  get size(): number {
    return this.#rows.length
  }

  get bytes(): number {
    return this.#bytes
  }

  add(
    row: unknown,
    onBad: ((detail: string) => void) | null,
    makerOf: (row: unknown) => RowMaker | null,
    isElsewhere: IsElsewhere | null,
  ): void {
    if (row instanceof Batch) for (const one of row) this.#add(one, onBad, makerOf, isElsewhere)
    else this.#add(row, onBad, makerOf, isElsewhere)
  }

  isMixedBy(stage: AnyNode | null | undefined): boolean {
    if (stage === undefined) return false
    if (this.#stage === undefined) this.#stage = stage
    return this.#stage !== stage && this.#table.mode === 'upsert'
  }

  /** What has come together, or null. */
  take(): TakenRows | null {
    if (this.#rows.length === 0) return null
    const rows = this.#rows
    const texts = this.#texts
    const makers = this.#makers
    this.#rows = []
    this.#texts = []
    this.#bytes = 0
    this.#makers = []
    const table = this.#table
    return { write: texts.length < rows.length ? { table, rows } : { table, rows, texts }, makers }
  }

  #add(
    row: unknown,
    onBad: ((detail: string) => void) | null,
    makerOf: (row: unknown) => RowMaker | null,
    isElsewhere: IsElsewhere | null,
  ): void {
    if (isElsewhere !== null && this.#isElsewhere(row, isElsewhere)) return
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
    this.#makers.push(makerOf(row))
  }

  #isElsewhere(row: unknown, isElsewhere: IsElsewhere): boolean {
    const render = this.#render
    const keyOf = this.#keyOf
    if (render === undefined || keyOf === null) return false
    try {
      return isElsewhere(this.#table.name, () => keyOf(render(row)), row)
    } catch (error) {
      // One that cannot be rendered is nobody's; whoever looks for bad rows finds it.
      if (error instanceof BadRowError) return false
      throw error
    }
  }
}
