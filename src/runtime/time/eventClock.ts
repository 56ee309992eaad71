import type { TimeDomain } from './timeDomain.ts'

/**
 * One of several times of a task: that of one `eventTime`. The task's own is the least of them, so nothing is late in one input because another is ahead.
 */
export class EventClock {
  /** ms UTC; minus infinity before the first. Never goes back. */
  watermark = Number.NEGATIVE_INFINITY
  readonly name: string
  /** True while markers say that its input has ended: the others go on without it. */
  isLeftOut = false
  readonly #all: EventClocks

  constructor(name: string, all: EventClocks) {
    this.name = name
    this.#all = all
  }

  advance(watermark: number): void {
    if (watermark <= this.watermark) return
    this.watermark = watermark
    this.#all.moved()
  }

  /** True once the last of them is at its end. */
  end(): boolean {
    return this.#all.ended(this)
  }
}

/** The times of a task with several of them. */
export class EventClocks {
  readonly #time: TimeDomain
  readonly #clocks = new Map<string, EventClock>()
  readonly #ended = new Set<EventClock>()
  readonly #leavesOutEnded: boolean

  /**
   * @param time which they are the parts of
   * @param leavesOutEnded true where one that has ended holds the others back no more
   */
  constructor(time: TimeDomain, leavesOutEnded = false) {
    this.#time = time
    this.#leavesOutEnded = leavesOutEnded
  }

  add(name: string): EventClock {
    const clock = new EventClock(name, this)
    this.#clocks.set(name, clock)
    return clock
  }

  /** Puts the clocks where they were. One that was not there before begins with the first value that it gets. */
  restore(saved: ReadonlyMap<string, number>): void {
    for (const [name, watermark] of saved) {
      const clock = this.#clocks.get(name)
      if (clock !== undefined) clock.watermark = watermark
    }
  }

  /** How far those that have begun have come. */
  saved(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#clocks.values()].flatMap(({ name, watermark }) =>
        watermark === Number.NEGATIVE_INFINITY ? [] : [[name, watermark] as const],
      ),
    )
  }

  get(name: string): EventClock | undefined {
    return this.#clocks.get(name)
  }

  moved(): void {
    let least = Number.POSITIVE_INFINITY
    for (const clock of this.#clocks.values()) {
      if (clock.watermark < least && !clock.isLeftOut && !(this.#leavesOutEnded && this.#ended.has(clock)))
        least = clock.watermark
    }
    if (least < Number.POSITIVE_INFINITY) this.#time.advance(least)
  }

  ended(clock: EventClock): boolean {
    this.#ended.add(clock)
    if (this.#ended.size < this.#clocks.size) {
      if (this.#leavesOutEnded) this.moved()
      return false
    }
    this.#ended.clear()
    return true
  }

  /** What was closed is closed for all of them. */
  catchUp(): void {
    const { watermark } = this.#time
    for (const clock of this.#clocks.values()) clock.watermark = Math.max(clock.watermark, watermark)
  }
}
