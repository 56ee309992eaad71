import { mostNumbers } from '../runtime/spans/lent.ts'

/**
 * Where an operator keeps what it keeps for a key, found by the small number of the key (`SpanKeys`): one look into a small array, and the key itself is not read.
 *
 * Holds at most 16,384 keys, until `clear` or until keys are numbered anew.
 */
export class PlacesByNumber {
  /** By number; below 0 where nothing was noted. */
  #places = new Int32Array(0)
  #isEmpty = true
  #numbering: object | null = null

  /** From now on the numbers are those of this numbering. */
  under(numbering: object | null): void {
    if (numbering === this.#numbering) return
    this.clear()
    this.#numbering = numbering
  }

  /** Below 0 where nothing was noted, or the key has no number. */
  at(number: number): number {
    return number >= 0 && number < this.#places.length ? (this.#places[number] as number) : -1
  }

  note(number: number, place: number): void {
    if (number < 0 || number >= mostNumbers) return
    if (number >= this.#places.length) this.#grow(number)
    this.#places[number] = place
    this.#isEmpty = false
  }

  clear(): void {
    if (this.#isEmpty) return
    this.#places.fill(-1)
    this.#isEmpty = true
  }

  #grow(number: number): void {
    const places = new Int32Array(2 ** Math.ceil(Math.log2(number + 2))).fill(-1)
    places.set(this.#places)
    this.#places = places
  }
}
