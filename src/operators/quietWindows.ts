import { KeysByNumber } from './keysByNumber.ts'
import type { Window } from './window.ts'

/**
 * Windows that have not fired and take values without a word, found by the number of a key. Nearly all values of a time are in windows that begin together; those of two times in a row are known, for that is where values of different keys go that come together.
 *
 * Holds the windows of two times, as many keys as `KeysByNumber` knows, until one of them fires.
 */
export class QuietWindows {
  readonly #even = new KeysByNumber<Window>()
  readonly #odd = new KeysByNumber<Window>()
  /** Which windows after the epoch they are. */
  #evenOrdinal = 0
  #oddOrdinal = 1

  /** @param number of the key's text, as a hint */
  find(key: string, number: number, ordinal: number): Window | undefined {
    if (ordinal === this.#evenOrdinal) return this.#even.find(key, number)
    return ordinal === this.#oddOrdinal ? this.#odd.find(key, number) : undefined
  }

  note(key: string, number: number, ordinal: number, window: Window): void {
    const isOdd = ordinal % 2 !== 0
    const windows = isOdd ? this.#odd : this.#even
    const known = isOdd ? this.#oddOrdinal : this.#evenOrdinal
    if (known > ordinal) return
    if (known < ordinal) {
      windows.clear()
      if (isOdd) this.#oddOrdinal = ordinal
      else this.#evenOrdinal = ordinal
    }
    windows.note(key, number, window)
  }

  /** One of that time has something to say from now on. */
  clear(ordinal: number): void {
    if (ordinal === this.#evenOrdinal) this.#even.clear()
    else if (ordinal === this.#oddOrdinal) this.#odd.clear()
  }
}
