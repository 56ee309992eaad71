import { type Lent, numbersOf } from '../runtime/lent.ts'

/** Who numbers texts knows no more of them at a time. */
const mostNumbers = 16_384
const noNumbers = new Int32Array(0)

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
  #lent: Lent<unknown> | null = null
  /** By record. */
  #numbers: Int32Array = noNumbers

  /**
   * Before keys are looked for of values that come many at once.
   * @param text what a key stands for that is no text itself, of the record at hand
   */
  begin(lent: Lent<unknown>, text?: string): void {
    this.#lent = text === undefined ? lent : null
    if (text !== undefined) this.#numbers = lent[numbersOf](text) ?? noNumbers
  }

  /** @param record the one at hand, of which the key is */
  find(key: K, record: number): V | undefined {
    const keys = this.#keys
    const number = this.#numberOf(key, record)
    // Whether it is the same key is asked of where it lies, so that the key itself need not be read.
    return number >= 0 && number < keys.length && Object.is(keys[number], key) ? this.#values[number] : undefined
  }

  /** Has the key of the record found from now on. */
  note(key: K, record: number, value: V): void {
    const number = this.#numberOf(key, record)
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

  #numberOf(key: K, record: number): number {
    if (this.#lent !== null) {
      this.#numbers = this.#lent[numbersOf](key as string) ?? noNumbers
      this.#lent = null
    }
    return this.#numbers[record] ?? -1
  }
}
