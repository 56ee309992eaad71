import { paneAt, paneMs, startsOver } from './panes.ts'
import { foldedAs, type Hops, type Window } from './window.ts'

/** The panes of one time that have values, by key. */
export interface PaneRow {
  /** How many panes after the epoch. */
  readonly ordinal: number
  readonly start: number
  /** The end of the first of their windows, ms UTC, and of the last. */
  readonly firstEnd: number
  readonly lastEnd: number
  readonly panes: Map<string, Window>
}

/**
 * The panes of one operator that have values, by time and then by key: what is due is due for all keys of a time, and a window is made of what it has when it fires. Nearly every value goes to the row of
 * the one before, which is at hand.
 */
export class OpenPanes {
  readonly #name: string
  readonly #hops: Hops
  readonly #lengthMs: number
  readonly #rows = new Map<number, PaneRow>()
  #newest: PaneRow | null = null

  constructor(name: string, hops: Hops) {
    this.#name = name
    this.#hops = hops
    this.#lengthMs = paneMs(hops)
  }

  /** The row of that time, which is kept once it has a pane. */
  row(ordinal: number): PaneRow {
    if (this.#newest?.ordinal === ordinal) return this.#newest
    const row = this.#rows.get(ordinal) ?? this.#newRow(ordinal)
    this.#newest = row
    return row
  }

  /** A pane of the key, which has none in the row. */
  add(row: PaneRow, key: string): Window {
    if (row.panes.size === 0) this.#rows.set(row.ordinal, row)
    const pane: Window & { [foldedAs]: null } = {
      ...paneAt(this.#name, key, row.start, this.#lengthMs, this.#hops),
      [foldedAs]: null,
    }
    row.panes.set(key, pane)
    return pane
  }

  /** Takes out all panes of the row. */
  take(row: PaneRow): readonly Window[] {
    this.#rows.delete(row.ordinal)
    if (this.#newest === row) this.#newest = null
    return [...row.panes.values()]
  }

  /** The panes of the window that begins at `start`, by key and then by time. */
  inWindow(start: number): Map<string, Window[]> {
    const byKey = new Map<string, Window[]>()
    for (const row of this.#rowsOf(start)) {
      for (const [key, pane] of row.panes) {
        const own = byKey.get(key)
        if (own === undefined) byKey.set(key, [pane])
        else own.push(pane)
      }
    }
    return byKey
  }

  /** The same of one key. */
  ofKey(key: string, start: number): readonly Window[] {
    const own: Window[] = []
    for (const row of this.#rowsOf(start)) {
      const pane = row.panes.get(key)
      if (pane !== undefined) own.push(pane)
    }
    return own
  }

  *#rowsOf(start: number): IterableIterator<PaneRow> {
    const first = start / this.#lengthMs
    for (let ordinal = first; ordinal < first + this.#hops.sizeMs / this.#lengthMs; ordinal += 1) {
      const row = this.#rows.get(ordinal)
      if (row !== undefined) yield row
    }
  }

  #newRow(ordinal: number): PaneRow {
    const start = ordinal * this.#lengthMs
    const starts = startsOver(start, this.#hops)
    const { sizeMs } = this.#hops
    const firstEnd = (starts[0] as number) + sizeMs
    return { ordinal, start, firstEnd, lastEnd: (starts.at(-1) as number) + sizeMs, panes: new Map() }
  }
}
