const stepMs = 0.1

/** Counts by tenths of a ms, so that millions of values cost as little memory as a few. */
export class Histogram {
  readonly #counts: number[] = []
  #total = 0
  #max = 0

  add(ms: number): void {
    const slot = Math.max(0, Math.floor(ms / stepMs))
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1
    this.#total++
    if (ms > this.#max) this.#max = ms
  }

  get total(): number {
    return this.#total
  }

  get max(): number {
    return this.#max
  }

  /** The upper end of the slot that holds this share of the values. */
  quantile(share: number): number {
    let left = Math.ceil(this.#total * share)
    for (let slot = 0; slot < this.#counts.length; slot++) {
      left -= this.#counts[slot] ?? 0
      if (left <= 0) return (slot + 1) * stepMs
    }
    return this.#max
  }
}
