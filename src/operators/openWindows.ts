import type { KeyedEntry } from '../runtime/state/keyedState.ts'
import type { Window } from './window.ts'

/** A window that is not over. */
export interface OpenWindow {
  readonly window: Window
  /** Its place among the windows of the operator; below 0 before it has one. */
  place: number
  /** How many windows after the epoch: a small whole number, which is at hand where a time would be one more look into memory. */
  readonly ordinal: number
  /** 0 until it fires. */
  revision: number
  /** Why its row is another task's; null where that is not known of it. */
  elsewhere: string | null
  /** Its place in the saved state. */
  entry: KeyedEntry<OpenWindow> | null
}

/**
 * The open windows of one operator, by key and ordinal. Nearly every value goes to the newest window of its key, which is at hand; the others are looked up.
 */
export class OpenWindows {
  readonly #newest = new Map<string, OpenWindow>()
  readonly #older = new Map<string, Map<number, OpenWindow>>()

  find(key: string, ordinal: number): OpenWindow | undefined {
    const newest = this.#newest.get(key)
    if (newest !== undefined && newest.ordinal === ordinal) return newest
    return this.#older.get(key)?.get(ordinal)
  }

  add(one: OpenWindow): void {
    const { key } = one.window
    const newest = this.#newest.get(key)
    if (newest === undefined) this.#newest.set(key, one)
    else if (newest.ordinal < one.ordinal) {
      this.#newest.set(key, one)
      this.#addOlder(newest)
    } else this.#addOlder(one)
  }

  /** Those that a hole keeps stay behind newer ones. */
  delete(one: OpenWindow): void {
    const { key } = one.window
    const older = this.#older.get(key)
    if (older?.delete(one.ordinal) !== true) this.#newest.delete(key)
    else if (older.size === 0) this.#older.delete(key)
  }

  #addOlder(one: OpenWindow): void {
    const { key } = one.window
    const older = this.#older.get(key)
    if (older === undefined) this.#older.set(key, new Map([[one.ordinal, one]]))
    else older.set(one.ordinal, one)
  }
}
