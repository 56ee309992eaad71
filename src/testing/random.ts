/**
 * Random numbers that a seed decides, for tests that must be repeatable: the generator sfc32 of Chris Doty-Humphrey
 * (PractRand, https://pracrand.sourceforge.net/RNG_engines.txt), seeded by FNV-1a of the seed's text. Not for secrets.
 */
export class Random {
  /** What decides every number, as text; print it with a failure. */
  readonly seed: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number | string) {
    this.seed = String(seed)
    this.#a = hashText(this.seed, 0x811c9dc5)
    this.#b = hashText(this.seed, 0x01000193)
    this.#c = hashText(this.seed, 0x9e3779b9)
    // The first outputs still show how similar two seeds are; sfc32's author runs a dozen rounds before use.
    for (let round = 0; round < 12; round++) this.next()
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result
    this.#c |= 0
    return result >>> 0
  }

  /** From 0 up to, not including, 1. */
  fraction(): number {
    return this.next() / 4_294_967_296
  }

  /** An integer from `low` to `high`, both included: plain numbers, as from 1 to 6 for a die. */
  int(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** One of the choices. Throws `RangeError` where there are none. */
  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError('pick needs at least one choice, got none')
    return choices[this.int(0, choices.length - 1)] as T
  }

  /** The same values in another order (Fisher and Yates); the argument stays as it is. */
  shuffle<T>(values: readonly T[]): T[] {
    const result = [...values]
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      const held = result[i] as T
      result[i] = result[j] as T
      result[j] = held
    }
    return result
  }

  /**
   * An independent generator that the seed and the name alone decide, however much was drawn before. One for each
   * source of chance, so that a new draw in one place does not change every other.
   */
  fork(name: string): Random {
    return new Random(`${this.seed}/${name}`)
  }
}

function hashText(text: string, basis: number): number {
  let hash = basis
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash | 0
}
