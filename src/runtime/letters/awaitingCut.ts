/** What waits for the next cut, beside rows and messages. The worker bounds it by its credit. */
export class AwaitingCut<T> {
  /** Roughly. */
  bytes = 0
  readonly #bytesOf: (item: T) => number
  #items: T[] = []

  constructor(bytesOf: (item: T) => number) {
    this.#bytesOf = bytesOf
  }

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    this.#items.push(item)
    this.bytes += this.#bytesOf(item)
  }

  /** Hands over what has come since the last call. */
  take(): readonly T[] {
    const items = this.#items
    this.#items = []
    this.bytes = 0
    return items
  }
}
