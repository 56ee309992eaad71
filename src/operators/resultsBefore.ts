import type { Folded } from './fold.ts'
import { foldId } from './foldState.ts'
import type { Window } from './window.ts'

/** Of windows that are being corrected, what they were when they fired last. Holds each until it is asked for. */
export class ResultsBefore<A> {
  readonly #byWindow = new Map<string, Folded<A>>()

  /** The first that is told of a window counts. */
  remember({ window, accumulator }: Folded<A>): void {
    const id = foldId(window)
    if (!this.#byWindow.has(id)) this.#byWindow.set(id, { window, accumulator })
  }

  take(window: Window): Folded<A> | undefined {
    if (this.#byWindow.size === 0) return undefined
    const id = foldId(window)
    const known = this.#byWindow.get(id)
    this.#byWindow.delete(id)
    return known
  }

  clear(): void {
    this.#byWindow.clear()
  }
}
