/** Waits that double from `firstMs` up to `mostMs`; reset after a success. */
export class Backoff {
  readonly #firstMs: number
  readonly #mostMs: number
  #nextMs: number

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs
    this.#mostMs = mostMs
    this.#nextMs = firstMs
  }

  next(): number {
    const wait = this.#nextMs
    this.#nextMs = Math.min(this.#mostMs, wait * 2)
    return wait
  }

  reset(): void {
    this.#nextMs = this.#firstMs
  }
}
