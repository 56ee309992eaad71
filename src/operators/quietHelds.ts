import type { Held } from './foldState.ts'
import type { WindowPlaces } from './windowPlaces.ts'

/**
 * Those of a fold's windows that take values without a word, by the places that the operator above gives them: what is asked of each window of a span lies side by side, and what is kept for it need not be read.
 *
 * Holds what is noted until it is forgotten, until its place is noted for another window, or until windows of another operator come.
 */
export class QuietHelds<A> {
  #places: WindowPlaces | null = null
  /** By place: the serial number of the window that was noted; 0 for none. */
  #serials = new Int32Array(0)
  readonly #helds: Held<A>[] = []
  #rows = new Int32Array(0)
  #touchedIn = new Int32Array(0)

  /** From now on the places are those of this operator. */
  over(places: WindowPlaces): void {
    if (places !== this.#places) {
      this.#serials.fill(0)
      this.#places = places
    }
    if (this.#serials.length < places.serials.length) this.#grow(places.serials.length)
  }

  has(place: number): boolean {
    return this.#serials[place] === (this.#places as WindowPlaces).serials[place]
  }

  /** Of a place that is noted. */
  at(place: number): Held<A> {
    return this.#helds[place] as Held<A>
  }

  /** Of a place that is noted: in which row its accumulator lies. */
  rowAt(place: number): number {
    return this.#rows[place] as number
  }

  /** Whether it is asked for the first time since the cut of that number, of a place that is noted. */
  isFirstIn(cut: number, place: number): boolean {
    if (this.#touchedIn[place] === cut) return false
    this.#touchedIn[place] = cut
    return true
  }

  note(place: number, held: Held<A>, row: number): void {
    this.#serials[place] = (this.#places as WindowPlaces).serials[place] as number
    this.#rows[place] = row
    this.#touchedIn[place] = -1
    this.#helds[place] = held
    held.place = place
  }

  /** It may have something to say from now on. */
  forget(held: Held<A>): void {
    if (held.place >= 0) this.#serials[held.place] = 0
    held.place = -1
  }

  #grow(places: number): void {
    this.#serials = larger(this.#serials, places)
    this.#rows = larger(this.#rows, places)
    this.#touchedIn = larger(this.#touchedIn, places)
  }
}

function larger(numbers: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(length)
  copy.set(numbers)
  return copy
}
