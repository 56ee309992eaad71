import type { Window } from './window.ts'

/** A window that has state. */
export interface OpenWindow {
  readonly window: Window
  /** How many windows after the epoch: a small whole number, which is at hand where a time would be one more look into memory. */
  readonly ordinal: number
  /** 0 until it fires. */
  revision: number
  /** The window of the same key that was opened before it and is not over. */
  older: OpenWindow | null
}

/** Windows that end together. */
interface Bucket {
  readonly last: number
  readonly windows: OpenWindow[]
}

/**
 * When windows fire and when they are over. Windows that end together share one timer, so a watermark that makes nothing due costs one comparison.
 */
export class WindowTimers {
  /** The earliest watermark that makes something due. */
  nextDue = Number.POSITIVE_INFINITY
  readonly #allowedLatenessMs: number
  readonly #firing = new Map<number, Bucket>()
  readonly #over = new Map<number, Bucket>()

  constructor(allowedLatenessMs: number) {
    this.#allowedLatenessMs = allowedLatenessMs
  }

  add(one: OpenWindow): void {
    const last = one.window.end - 1
    if (one.revision === 0) put(this.#firing, last, one)
    put(this.#over, last, one)
    this.nextDue = Math.min(this.nextDue, one.revision === 0 ? last : last + this.#allowedLatenessMs)
  }

  /** Windows whose end the watermark has reached, by end, then by key; each is given once. */
  takeFiring(watermark: number): OpenWindow[] {
    return this.#take(this.#firing, watermark)
  }

  /** Windows whose allowed lateness is over, by end, then by key; each is given once. */
  takeOver(watermark: number): OpenWindow[] {
    const over = this.#take(this.#over, watermark - this.#allowedLatenessMs)
    this.#findNextDue()
    return over
  }

  /** The watermark at which every window has fired. */
  lastUnfired(): number | undefined {
    let last: number | undefined
    for (const bucket of this.#firing.values()) if (last === undefined || bucket.last > last) last = bucket.last
    return last
  }

  #take(buckets: Map<number, Bucket>, watermark: number): OpenWindow[] {
    const due: Bucket[] = []
    for (const bucket of buckets.values()) if (bucket.last <= watermark) due.push(bucket)
    due.sort((a, b) => a.last - b.last)
    const windows: OpenWindow[] = []
    for (const bucket of due) {
      buckets.delete(bucket.last)
      bucket.windows.sort(byKey)
      for (const one of bucket.windows) windows.push(one)
    }
    return windows
  }

  #findNextDue(): void {
    this.nextDue = Number.POSITIVE_INFINITY
    for (const bucket of this.#firing.values()) this.nextDue = Math.min(this.nextDue, bucket.last)
    for (const bucket of this.#over.values())
      this.nextDue = Math.min(this.nextDue, bucket.last + this.#allowedLatenessMs)
  }
}

function put(buckets: Map<number, Bucket>, last: number, one: OpenWindow): void {
  const bucket = buckets.get(last)
  if (bucket === undefined) buckets.set(last, { last, windows: [one] })
  else bucket.windows.push(one)
}

function byKey(a: OpenWindow, b: OpenWindow): number {
  return a.window.key < b.window.key ? -1 : a.window.key > b.window.key ? 1 : 0
}
