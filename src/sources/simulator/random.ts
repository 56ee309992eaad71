/** State of the generator, as plain data for a feed's position. */
export type RandomState = readonly [number, number, number, number]

/**
 * Random numbers that a seed decides and that can be left and taken up again: sfc32 of Chris Doty-Humphrey (PractRand). Not for secrets.
 */
export class SeededRandom {
  #a: number
  #b: number
  #c: number
  #counter: number

  private constructor([a, b, c, counter]: RandomState) {
    this.#a = a
    this.#b = b
    this.#c = c
    this.#counter = counter
  }

  static ofSeed(seed: number): SeededRandom {
    const random = new SeededRandom([seed | 0, Math.floor(seed / 0x1_0000_0000) | 0, 0x9e3779b9 | 0, 1])
    // The first outputs still show how similar two seeds are.
    for (let round = 0; round < 12; round++) random.next()
    return random
  }

  static ofState(state: RandomState): SeededRandom {
    return new SeededRandom(state)
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0
    return result >>> 0
  }

  /** An integer from 0 up to, not including, `bound`. */
  below(bound: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * bound)
  }

  snapshot(): RandomState {
    return [this.#a, this.#b, this.#c, this.#counter]
  }
}
