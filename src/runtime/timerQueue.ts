/** Things that are due at the same time. */
interface Bucket<T> {
  readonly time: number
  readonly items: T[]
}

/** Below so many withdrawn items it is not worth while to clear them away. */
const fewestCleared = 1_024

/**
 * What is due when: by time, and at one time in the order of adding. Adding costs a look-up and, for a time that is new, a step of a binary heap.
 *
 * Holds what was added until it is taken. Whoever withdraws an item says so, and skips it when it comes: of those that were withdrawn it holds at most as many as of the others, or a thousand.
 */
export class TimerQueue<T> {
  readonly #buckets = new Map<number, Bucket<T>>()
  /** A binary heap by time. */
  #heap: Bucket<T>[] = []
  readonly #isLive: (item: T, time: number) => boolean
  #held = 0
  #withdrawn = 0

  /** @param isLive false of an item that was withdrawn since it was added for this time; needed where `withdraw` is called */
  constructor(isLive: (item: T, time: number) => boolean = () => true) {
    this.#isLive = isLive
  }

  /** The earliest time that something is due at; infinite when nothing is. */
  get nextDue(): number {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY
  }

  add(time: number, item: T): void {
    this.#held += 1
    const bucket = this.#buckets.get(time)
    if (bucket !== undefined) {
      bucket.items.push(item)
      return
    }
    const added = { time, items: [item] }
    this.#buckets.set(time, added)
    this.#rise(added)
  }

  /** Takes out everything that is due at the earliest time, unless that is later than `until`. */
  take(until: number): { readonly time: number; readonly items: T[] } | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.time > until) return undefined
    this.#buckets.delete(first.time)
    const last = this.#heap.pop() as Bucket<T>
    if (last !== first) this.#sink(last)
    this.#held -= first.items.length
    if (this.#withdrawn > 0) this.#withdrawn -= first.items.filter((item) => !this.#isLive(item, first.time)).length
    return first
  }

  /** An item that waits, of which `isLive` is false by now, need not come. */
  withdraw(): void {
    this.#withdrawn += 1
    if (this.#withdrawn > fewestCleared && this.#withdrawn * 2 > this.#held) this.#clear()
  }

  /** All that is waiting, in no order. */
  *waiting(): IterableIterator<{ readonly time: number; readonly items: readonly T[] }> {
    yield* this.#heap
  }

  #clear(): void {
    const buckets = this.#heap
    this.#heap = []
    this.#buckets.clear()
    this.#held = 0
    this.#withdrawn = 0
    for (const { time, items } of buckets) {
      for (const item of items) if (this.#isLive(item, time)) this.add(time, item)
    }
  }

  #rise(bucket: Bucket<T>): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(bucket)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Bucket<T>
      if (parent.time <= bucket.time) break
      heap[at] = parent
      at = above
    }
    heap[at] = bucket
  }

  /** Puts the bucket where the first one was, and down from there. */
  #sink(bucket: Bucket<T>): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && (heap[below + 1] as Bucket<T>).time < (heap[below] as Bucket<T>).time) below += 1
      const child = heap[below] as Bucket<T>
      if (child.time >= bucket.time) break
      heap[at] = child
      at = below
    }
    heap[at] = bucket
  }
}
