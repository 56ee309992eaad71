import type { Held } from './foldState.ts'
import type { WindowPlaces } from './windowPlaces.ts'

/** By place, in one line of memory: the serial number of the window that was noted, 0 for none; where its accumulator lies; since which cut it has changed; and 1 while it waits. */
const width = 4
const serial = 0
const row = 1
const changedIn = 2
const isWaiting = 3

/**
 * Those of a fold's windows that take values without a word, by the places that the operator above gives them: what is asked of each window of a span lies side by side, and what is kept for it need not be read.
 *
 * Holds what is noted until it is forgotten, until its place is noted for another window, or until windows of another operator come.
 */
export class QuietHelds<A> {
  #places: WindowPlaces | null = null
  #noted = new Int32Array(0)
  readonly #helds: Held<A>[] = []

  /** From now on the places are those of this operator. */
  over(places: WindowPlaces): void {
    if (places !== this.#places) {
      this.#noted.fill(0)
      this.#places = places
    }
    const length = places.serials.length * width
    if (this.#noted.length >= length) return
    const noted = new Int32Array(length)
    noted.set(this.#noted)
    this.#noted = noted
  }

  has(place: number): boolean {
    return this.#noted[place * width + serial] === (this.#places as WindowPlaces).serials[place]
  }

  /** Of a place that is noted. */
  at(place: number): Held<A> {
    return this.#helds[place] as Held<A>
  }

  /** Of a place that is noted: in which row its accumulator lies. */
  rowAt(place: number): number {
    return this.#noted[place * width + row] as number
  }

  /** Whether it is asked for the first time since the cut of that number, of a place that is noted. */
  isFirstIn(cut: number, place: number): boolean {
    const at = place * width + changedIn
    if (this.#noted[at] === cut) return false
    this.#noted[at] = cut
    return true
  }

  /** Something is due of a place that is noted. */
  wait(place: number): void {
    this.#noted[place * width + isWaiting] = 1
  }

  /** Whether something was due of the place, and is no longer. */
  stopsWaiting(place: number): boolean {
    const at = place * width + isWaiting
    if (this.#noted[at] !== 1) return false
    this.#noted[at] = 0
    return true
  }

  note(place: number, held: Held<A>, inRow: number): void {
    const at = place * width
    this.#noted[at + serial] = (this.#places as WindowPlaces).serials[place] as number
    this.#noted[at + row] = inRow
    this.#noted[at + changedIn] = -1
    this.#noted[at + isWaiting] = 0
    this.#helds[place] = held
    held.place = place
  }

  /** It may have something to say from now on. */
  forget(held: Held<A>): void {
    if (held.place >= 0) this.#noted[held.place * width + serial] = 0
    held.place = -1
  }
}
