/** Things by time: a binary heap, so that adding one and taking the earliest cost a few steps. Holds what was added until it is taken. */
export class TimeHeap<B extends { readonly time: number }> {
  readonly #all: B[] = []

  /** The earliest; undefined where there is none. */
  get first(): B | undefined {
    return this.#all[0]
  }

  add(one: B): void {
    const all = this.#all
    let at = all.length
    all.push(one)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = all[above] as B
      if (parent.time <= one.time) break
      all[at] = parent
      at = above
    }
    all[at] = one
  }

  /** Takes the earliest out; undefined where there is none. */
  take(): B | undefined {
    const first = this.#all[0]
    const last = this.#all.pop()
    if (last !== undefined && last !== first) this.#sink(last)
    return first
  }

  /** All of them, in no order. */
  values(): IterableIterator<B> {
    return this.#all.values()
  }

  clear(): void {
    this.#all.length = 0
  }

  /** Puts it where the first one was, and down from there. */
  #sink(one: B): void {
    const all = this.#all
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= all.length) break
      if (below + 1 < all.length && (all[below + 1] as B).time < (all[below] as B).time) below += 1
      const child = all[below] as B
      if (child.time >= one.time) break
      all[at] = child
      at = below
    }
    all[at] = one
  }
}
