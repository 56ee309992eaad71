import type { Folded } from './fold.ts'
import type { Held, Told } from './foldState.ts'
import type { Window } from './window.ts'

/**
 * What windows told last, where that is not what they hold: their newest results could not be made, and what was told before still stands.
 *
 * Kept with what a fold holds of the window, or of the first of its panes, until the window tells its results or is over.
 */
export class ToldLast<A> {
  readonly #find: (window: Window) => Held<A> | undefined
  readonly #touch: (held: Held<A>) => void

  /** @param touch has what is held count as changed */
  constructor(find: (window: Window) => Held<A> | undefined, touch: (held: Held<A>) => void) {
    this.#find = find
    this.#touch = touch
  }

  /** @param now what the window holds; @param panes of the window, or itself */
  of(now: Folded<A>, panes: readonly Window[]): Told<A> {
    const known = this.#holder(now.window, panes)?.standing?.get(now.window.start)
    return known === undefined ? now : known
  }

  /** The window could not tell its results. */
  keep(window: Window, panes: readonly Window[], told: Told<A>): void {
    const holder = this.#holder(window, panes) ?? panes.map(this.#find).find((held) => held !== undefined)
    if (holder === undefined) return
    this.#touch(holder)
    holder.standing = new Map([...(holder.standing ?? []), [window.start, told]])
  }

  /** The window has told what it holds, or has taken back what it told. */
  forget(window: Window, panes: readonly Window[]): void {
    const holder = this.#holder(window, panes)
    if (holder === undefined) return
    this.#touch(holder)
    const others = [...(holder.standing ?? [])].filter(([start]) => start !== window.start)
    holder.standing = others.length === 0 ? null : new Map(others)
  }

  #holder(window: Window, panes: readonly Window[]): Held<A> | undefined {
    return panes.map(this.#find).find((held) => held?.standing?.has(window.start) === true)
  }
}
