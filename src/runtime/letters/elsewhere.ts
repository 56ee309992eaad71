import type { TableWrite } from '../store/checkpoint.ts'
import { type ForeignRow, type MakingWindow, ownerText, type RowMaker, type RowOwner } from '../store/foreignRows.ts'
import { shownKey } from '../store/rowKey.ts'
import type { UpsertTable } from '../store/table.ts'

interface KnownRow {
  readonly detail: string
  /** Up to which place it was found. */
  readonly upTo: number
}

/** A window whose row is another task's. */
export interface WindowElsewhere {
  readonly window: MakingWindow
  /** The operators that fold it to such a row. */
  readonly folds: readonly string[]
  readonly detail: string
}

/** What was refused: the rows of a checkpoint up to `nextOffsets`, and by what each was made, write for write. */
export interface RefusedCheckpoint {
  readonly writes: readonly TableWrite[]
  readonly makers: readonly (readonly (RowMaker | null)[])[]
  readonly nextOffsets: readonly number[]
}

/** Bounds what is kept of keys that come on and on in the wrong partition; one that is forgotten costs an attempt when it comes again. */
const mostRows = 100_000

/**
 * What attempts at a task learn of rows that belong to other tasks.
 *
 * The store tells all such rows of a checkpoint at once. The next attempt sets them aside on the way to where that checkpoint ended: where a window makes a row, each value
 * that comes to the window, otherwise what the row was made of. The windows are then in the saved state; rows without one are remembered, so that a key that always
 * comes by the wrong partition does not cost an attempt each time.
 */
export class Elsewhere {
  readonly #rows = new Map<string, Map<string, KnownRow>>()
  readonly #windows = new Map<string, WindowElsewhere>()
  #count = 0
  #upTo = -1

  /** False when nothing new was learnt, so that another attempt would fail as well. */
  learn(task: RowOwner, rows: readonly ForeignRow[], { writes, makers, nextOffsets }: RefusedCheckpoint): boolean {
    const upTo = placeOf(nextOffsets)
    let hasLearnt = false
    for (const { write, row, key, owner } of rows) {
      const table = (writes[write] as TableWrite).table as UpsertTable<unknown>
      const detail = `row (${shownKey(table, key)}) of table ${table.name} belongs to ${ownerText(owner)}; this came by ${ownerText(task)}`
      hasLearnt = this.#learnRow(table.name, key, { detail, upTo }) || hasLearnt
      const maker = makers[write]?.[row]
      if (maker != null) this.#learnWindow(maker, detail)
    }
    this.#upTo = Math.max(this.#upTo, upTo)
    this.#forgetOldest(upTo)
    return hasLearnt
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** True where the refused checkpoint ended: a cut there meets no other rows than those that are known. */
  endsAt(nextOffsets: readonly number[]): boolean {
    return this.#upTo >= 0 && placeOf(nextOffsets) === this.#upTo
  }

  /**
   * Why the row is not to be written; undefined where it is not known to be another task's.
   * @param isAsked true where it is for the store to say, unless it has said so of this very stretch: a person may have handed the row over since
   */
  rowDetail(table: string, key: () => string, isAsked: boolean, nextOffsets: readonly number[]): string | undefined {
    const rows = this.#rows.get(table)
    if (rows === undefined) return undefined
    const known = rows.get(key())
    if (known === undefined || (isAsked && placeOf(nextOffsets) > known.upTo)) return undefined
    return known.detail
  }

  /** The same of a window of the operator. */
  windowDetail(operator: string, window: string): string | undefined {
    return this.#windows.size === 0 ? undefined : this.#windows.get(windowKey(operator, window))?.detail
  }

  windows(): Iterable<WindowElsewhere> {
    return this.#windows.values()
  }

  /** Behind where they were found, windows are in the saved state. At the very place they may still come about. */
  committed(nextOffsets: readonly number[]): void {
    if (placeOf(nextOffsets) <= this.#upTo) return
    this.#windows.clear()
    this.#upTo = -1
  }

  #learnRow(table: string, key: string, row: KnownRow): boolean {
    const rows = this.#rows.get(table) ?? new Map<string, KnownRow>()
    this.#rows.set(table, rows)
    const known = rows.get(key)
    if (known !== undefined && known.upTo >= row.upTo) return false
    // Behind the others, so that the oldest are forgotten first.
    if (rows.delete(key)) this.#count -= 1
    rows.set(key, row)
    this.#count += 1
    return true
  }

  #learnWindow({ window, fold }: RowMaker, detail: string): void {
    const key = windowKey(window.name, window.id)
    const folds = this.#windows.get(key)?.folds ?? []
    const { name, start, end, id } = window
    this.#windows.set(key, {
      window: { name, key: window.key, start, end, id },
      folds: folds.includes(fold) ? folds : [...folds, fold],
      detail,
    })
  }

  #forgetOldest(upTo: number): void {
    for (const rows of this.#rows.values()) {
      for (const [key, row] of rows) {
        if (this.#count <= mostRows || row.upTo === upTo) break
        rows.delete(key)
        this.#count -= 1
      }
    }
  }
}

function windowKey(operator: string, window: string): string {
  return `${operator}\0${window}`
}

/** Grows with every record that is taken. */
function placeOf(nextOffsets: readonly number[]): number {
  return nextOffsets.reduce((sum, offset) => sum + offset, 0)
}
