import { PlacesByNumber } from './placesByNumber.ts'

/**
 * The places of windows that have not fired and take values without a word, found by the number of a key. Nearly all values of a time are in windows that begin together; those of two times in a row are known, for that is where values of different keys go that come together.
 *
 * Holds the windows of two times, as many keys as `PlacesByNumber` knows, until one of them fires.
 */
export class QuietWindows {
  readonly #even = new PlacesByNumber()
  readonly #odd = new PlacesByNumber()
  /** Which windows after the epoch they are. */
  #evenOrdinal = 0
  #oddOrdinal = 1

  /** From now on the numbers are those of this numbering. */
  under(numbering: object | null): void {
    this.#even.under(numbering)
    this.#odd.under(numbering)
  }

  /** Below 0 where the window was not noted. */
  placeOf(number: number, ordinal: number): number {
    if (ordinal === this.#evenOrdinal) return this.#even.at(number)
    return ordinal === this.#oddOrdinal ? this.#odd.at(number) : -1
  }

  note(number: number, ordinal: number, place: number): void {
    const isOdd = ordinal % 2 !== 0
    const places = isOdd ? this.#odd : this.#even
    const known = isOdd ? this.#oddOrdinal : this.#evenOrdinal
    if (known > ordinal) return
    if (known < ordinal) {
      places.clear()
      if (isOdd) this.#oddOrdinal = ordinal
      else this.#evenOrdinal = ordinal
    }
    places.note(number, place)
  }

  /** One of that time has something to say from now on. */
  clear(ordinal: number): void {
    if (ordinal === this.#evenOrdinal) this.#even.clear()
    else if (ordinal === this.#oddOrdinal) this.#odd.clear()
  }
}
