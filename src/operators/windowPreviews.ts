import { foldId } from './foldState.ts'
import type { Window } from './window.ts'

/** The newest previews of a window: two shorter windows may be open in it at a time. */
export interface Expected<T> {
  readonly window: Window
  readonly values: readonly T[]
}

interface Kept<T> extends Expected<T> {
  values: readonly T[]
  isDue: boolean
}

/** Provisional values, by the windows that they are expected in. Holds the newest of each until the value itself comes, or the window fires or is over. Not saved; after a restore they come again. */
export class WindowPreviews<T> {
  readonly #isSame: (preview: T, later: T) => boolean
  readonly #byWindow = new Map<string, Kept<T>>()

  /** @param isSame whether a preview and a later preview or value stand for the same thing */
  constructor(isSame: (preview: T, later: T) => boolean) {
    this.#isSame = isSame
  }

  get isEmpty(): boolean {
    return this.#byWindow.size === 0
  }

  add(window: Window, value: T): void {
    const known = this.#byWindow.get(foldId(window))
    if (known === undefined) this.#byWindow.set(foldId(window), { window, values: [value], isDue: true })
    else {
      known.values = [...this.#othersThan(value, known), value]
      known.isDue = true
    }
  }

  /** The value itself has come, so what stood for it goes. */
  replace(window: Window, value: T): void {
    const known = this.#byWindow.get(foldId(window))
    if (known === undefined) return
    known.values = this.#othersThan(value, known)
    if (known.values.length === 0) this.drop(window)
  }

  drop(window: Window): void {
    this.#byWindow.delete(foldId(window))
  }

  /** Whether previews are kept of the window; they count as due from now on. */
  isDue(window: Window): boolean {
    const known = this.#byWindow.get(foldId(window))
    if (known !== undefined) known.isDue = true
    return known !== undefined
  }

  /** Those that are due, which they are no longer. */
  *takeDue(): IterableIterator<Expected<T>> {
    for (const known of this.#byWindow.values()) {
      if (!known.isDue) continue
      known.isDue = false
      yield known
    }
  }

  #othersThan(value: T, { values }: Kept<T>): readonly T[] {
    return values.filter((older) => !this.#isSame(older, value))
  }
}
