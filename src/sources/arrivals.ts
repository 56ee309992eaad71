import { type Clock, sleptEnough } from '../runtime/clock.ts'

/** Lets readers that have caught up sleep until their partition has grown. */
export class Arrivals {
  readonly #clock: Clock
  readonly #waiting = new Map<number, Set<() => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves at the partition's next `wake`, after `ms`, or when the signal fires, whichever comes first. */
  async wait(partition: number, ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted === true) return
    const woken = Promise.withResolvers<void>()
    const wake = () => woken.resolve()
    const sleepEnds = new AbortController()
    const waiting = this.#waiting.get(partition) ?? new Set()
    this.#waiting.set(partition, waiting.add(wake))
    signal?.addEventListener('abort', wake, { once: true })
    try {
      await Promise.race([woken.promise, this.#clock.sleep(ms, sleepEnds.signal)])
    } finally {
      sleepEnds.abort(sleptEnough)
      signal?.removeEventListener('abort', wake)
      waiting.delete(wake)
      if (waiting.size === 0 && this.#waiting.get(partition) === waiting) this.#waiting.delete(partition)
    }
  }

  /** Wakes who waits for this partition. */
  wake(partition: number): void {
    for (const wake of this.#waiting.get(partition) ?? []) wake()
  }

  wakeAll(): void {
    for (const partition of this.#waiting.keys()) this.wake(partition)
  }
}
