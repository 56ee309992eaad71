import { foldId } from './foldState.ts'
import { panesOf, windowsOver } from './panes.ts'
import type { Hops, Window } from './window.ts'

/**
 * How many values windows have that are made of panes, of which each pane knows its own.
 *
 * Counts a window once over and from then on by one; keeps a number a window until its last pane goes. Not saved: it is counted over after a restart.
 */
export class PaneCounts {
  readonly #countOf: (pane: Window) => number
  readonly #counts = new Map<string, number>()

  /** @param countOf how many values the pane has */
  constructor(countOf: (pane: Window) => number) {
    this.#countOf = countOf
  }

  /** A pane of the window has got another value, which it has counted. Gives how many the window has. */
  add(window: Window, hops: Hops): number {
    const id = foldId(window)
    const known = this.#counts.get(id)
    const count = known === undefined ? this.#countAll(window, hops) : known + 1
    this.#counts.set(id, count)
    return count
  }

  /** The pane is over, and with it each window that it is part of. */
  forget(pane: Window): void {
    if (pane.hops === undefined || this.#counts.size === 0) return
    for (const window of windowsOver(pane, pane.hops)) this.#counts.delete(foldId(window))
  }

  #countAll(window: Window, hops: Hops): number {
    return panesOf(window, hops).reduce((sum, pane) => sum + this.#countOf(pane), 0)
  }
}
