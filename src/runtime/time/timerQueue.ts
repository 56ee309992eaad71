import { TimeHeap } from './timeHeap.ts'

/** Things that are due at the same time. */
interface Bucket<T> {
  readonly time: number
  readonly items: T[]
}

/** Things that are due later than all that is sorted, within the same stretch of time, in the order of adding. */
interface Later<T> {
  /** The number of the stretch. */
  readonly time: number
  /** When each is due. */
  readonly times: number[]
  readonly items: T[]
}

/** Below so many withdrawn items it is not worth while to clear them away. */
const fewestCleared = 1_024
/** How long a stretch is, ms. */
const stretchMs = 65_536

/**
 * What is due when: by time, and at one time in the order of adding. Adding costs a look-up and, for a time that is new, a step of a binary heap.
 *
 * Holds what was added until it is taken. Sorted is only what is due in the earliest stretch of time; of each thing that is due later it holds no more than that and when. Whoever withdraws an item says so, and skips it when it comes:
 * of those that were withdrawn it holds at most as many as of the others, or a thousand.
 */
export class TimerQueue<T> {
  /** What is sorted, by time. */
  readonly #buckets = new Map<number, Bucket<T>>()
  readonly #sorted = new TimeHeap<Bucket<T>>()
  /** The last stretch that is sorted. */
  #stretch = Number.NEGATIVE_INFINITY
  /** By the number of the stretch. */
  readonly #later = new Map<number, Later<T>>()
  readonly #stretches = new TimeHeap<Later<T>>()
  readonly #isLive: (item: T, time: number) => boolean
  #held = 0
  #withdrawn = 0

  /** @param isLive false of an item that was withdrawn since it was added for this time; needed where `withdraw` is called */
  constructor(isLive: (item: T, time: number) => boolean = () => true) {
    this.#isLive = isLive
  }

  /** The earliest time that something is due at; infinite when nothing is. */
  get nextDue(): number {
    return this.#sorted.first?.time ?? Number.POSITIVE_INFINITY
  }

  add(time: number, item: T): void {
    this.#held += 1
    const stretch = Math.floor(time / stretchMs)
    // Where nothing waits, what comes first says what is sorted.
    if (this.#held === 1) this.#stretch = stretch
    if (stretch <= this.#stretch) this.#sort(time, item)
    else this.#putOff(stretch, time, item)
  }

  /** Takes out everything that is due at the earliest time, unless that is later than `until`. */
  take(until: number): { readonly time: number; readonly items: T[] } | undefined {
    const { first } = this.#sorted
    if (first === undefined || first.time > until) return undefined
    this.#sorted.take()
    this.#buckets.delete(first.time)
    this.#held -= first.items.length
    if (this.#withdrawn > 0) this.#withdrawn -= first.items.filter((item) => !this.#isLive(item, first.time)).length
    if (this.#sorted.first === undefined) this.#sortNext()
    return first
  }

  /** An item that waits, of which `isLive` is false by now, need not come. */
  withdraw(): void {
    this.#withdrawn += 1
    if (this.#withdrawn > fewestCleared && this.#withdrawn * 2 > this.#held) this.#clear()
  }

  /** All that is waiting, in no order. */
  *waiting(): IterableIterator<{ readonly time: number; readonly items: readonly T[] }> {
    yield* this.#sorted.values()
    for (const { times, items } of this.#later.values()) {
      for (const [i, time] of times.entries()) yield { time, items: [items[i] as T] }
    }
  }

  #sort(time: number, item: T): void {
    const bucket = this.#buckets.get(time)
    if (bucket !== undefined) {
      bucket.items.push(item)
      return
    }
    const added = { time, items: [item] }
    this.#buckets.set(time, added)
    this.#sorted.add(added)
  }

  #putOff(stretch: number, time: number, item: T): void {
    let later = this.#later.get(stretch)
    if (later === undefined) {
      later = { time: stretch, times: [], items: [] }
      this.#later.set(stretch, later)
      this.#stretches.add(later)
    }
    later.times.push(time)
    later.items.push(item)
  }

  #sortNext(): void {
    const next = this.#stretches.take()
    if (next === undefined) return
    this.#later.delete(next.time)
    this.#stretch = next.time
    for (const [i, time] of next.times.entries()) this.#sort(time, next.items[i] as T)
  }

  #clear(): void {
    const waiting = [...this.waiting()]
    this.#buckets.clear()
    this.#sorted.clear()
    this.#later.clear()
    this.#stretches.clear()
    this.#held = 0
    this.#withdrawn = 0
    for (const { time, items } of waiting) {
      for (const item of items) if (this.#isLive(item, time)) this.add(time, item)
    }
  }
}
