/** Something that acts when the watermark passes: timers, in the order in which they were added, which is topological. */
export interface TimeListener {
  onWatermark(watermark: number): void
}

/**
 * The event time that the operators of one task, or of one free-standing chain, share. It is moved by one `eventTime`, from data only.
 */
export class TimeDomain {
  /** No record at or before this time is expected, ms UTC; minus infinity before the first. Never goes back. */
  watermark = Number.NEGATIVE_INFINITY
  /** Event time of the value that is being passed on, ms UTC; NaN where no `eventTime` stands above. */
  valueTime = Number.NaN
  readonly #listeners: TimeListener[] = []

  add(listener: TimeListener): void {
    this.#listeners.push(listener)
  }

  remove(listener: TimeListener): void {
    const index = this.#listeners.indexOf(listener)
    if (index >= 0) this.#listeners.splice(index, 1)
  }

  /** Fires what is due. A listener that is added meanwhile is downstream of one that fired, so it still gets its turn. */
  advance(watermark: number): void {
    if (watermark <= this.watermark) return
    this.watermark = watermark
    for (let i = 0; i < this.#listeners.length; i++) (this.#listeners[i] as TimeListener).onWatermark(watermark)
  }
}

let active: TimeDomain | null = null

/** The time of the `eventTime` on whose stack the caller is, outside a task. */
export function activeTime(): TimeDomain | null {
  return active
}

/** Makes the domain the active one and gives the one before, for `leaveTime`. Two calls instead of a closure: this runs once a record. */
export function enterTime(domain: TimeDomain): TimeDomain | null {
  const before = active
  active = domain
  return before
}

export function leaveTime(before: TimeDomain | null): void {
  active = before
}
