import { mostNumbers } from '../runtime/spans/lent.ts'

/**
 * What an operator keeps for keys, found by the small number that the text of a key has where values are lent: it is read with the value, and two look-ups in arrays take the place of one by a text. The number is a
 * hint alone. What was noted for it holds as long as its text is the key, so it never matters how texts are numbered, or that they are numbered anew.
 *
 * Holds at most 16,384 keys, with what was noted for each until `clear`.
 */
export class KeysByNumber<V, K extends string | object = string> {
  /** Null where nothing was noted for the number. */
  readonly #keys: (K | null)[] = []
  readonly #values: V[] = []

  /** @param number of the text that the key is or stands for; below 0 where it has none */
  find(key: K, number: number): V | undefined {
    const keys = this.#keys
    // Whether it is the same key is asked of where it lies, so that the key itself need not be read.
    return number >= 0 && number < keys.length && Object.is(keys[number], key) ? this.#values[number] : undefined
  }

  /** Has the key found by the number from now on. */
  note(key: K, number: number, value: V): void {
    if (number < 0 || number >= mostNumbers) return
    while (this.#keys.length <= number) {
      this.#keys.push(null)
      this.#values.push(value)
    }
    this.#keys[number] = key
    this.#values[number] = value
  }

  clear(): void {
    this.#keys.length = 0
    this.#values.length = 0
  }
}
