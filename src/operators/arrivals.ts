import type { Json } from '../runtime/json.ts'

/** Numbers what an operator keeps in the order of its coming; the next number is saved, so that a restart changes none. */
export class Arrivals {
  #next: number

  /** @param saved what `snapshot` gave; undefined at the first start */
  constructor(saved: Json | undefined) {
    this.#next = typeof saved === 'number' ? saved : 0
  }

  /** The number of the next one, as a key. */
  take(): string {
    const id = String(this.#next)
    this.#next += 1
    return id
  }

  snapshot(): number {
    return this.#next
  }
}
