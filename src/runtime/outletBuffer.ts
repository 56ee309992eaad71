import { BadRowError } from './badRow.ts'
import { Batch } from './batch.ts'
import type { TableWrite } from './checkpoint.ts'
import type { AnyNode } from './operatorNode.ts'
import type { Outlet } from './outlet.ts'
import type { RowText, Table } from './table.ts'

/** The rows of one outlet between two cuts. Keeps them until they are taken. */
export class OutletBuffer {
  readonly name: string
  readonly #table: Table<unknown>
  readonly #render: ((row: unknown) => RowText) | undefined
  /** The loose operator whose rows come here; undefined before the first row. */
  #stage: AnyNode | null | undefined = undefined
  #rows: unknown[] = []
  #texts: RowText[] = []

  constructor(name: string, outlet: Outlet<unknown>) {
    this.name = name
    this.#table = outlet.table as Table<unknown>
    this.#render = outlet.render as ((row: unknown) => RowText) | undefined
  }

  /** In rows. */
  get size(): number {
    return this.#rows.length
  }

  /** Takes a row or a batch of them. With `onBadRow` each is rendered, and one that the table cannot hold is left out. */
  add(row: unknown, onBadRow: ((error: BadRowError) => void) | null): void {
    if (row instanceof Batch) for (const one of row) this.#add(one, onBadRow)
    else this.#add(row, onBadRow)
  }

  /**
   * True where rows that are let go at checkpoints meet others, and the later one of a key replaces the earlier: which one that is would be chance.
   * @param stage the loose operator that the row comes from, or null; undefined where that is not known
   */
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
    return texts.length < rows.length ? { table: this.#table, rows } : { table: this.#table, rows, texts }
  }

  #add(row: unknown, onBadRow: ((error: BadRowError) => void) | null): void {
    if (onBadRow !== null && this.#render !== undefined) {
      try {
        this.#texts.push(this.#render(row))
      } catch (error) {
        if (!(error instanceof BadRowError)) throw error
        onBadRow(error)
        return
      }
    }
    this.#rows.push(row)
  }
}
