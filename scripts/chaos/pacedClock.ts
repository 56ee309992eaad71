import type { Clock } from '../../src/runtime/clock.ts'

interface Sleeper {
  readonly due: number
  readonly wake: () => void
}

const stepMs = 2
/** A turn of the event loop counts for no more of the wall's time than this: what a busy machine takes from us is nobody's deadline. */
const mostPerTurnMs = 6

/**
 * Time that passes faster than on the wall, and only while this process runs: where a machine has no time for it, time stands still. Otherwise a machine that is busy would make every
 * answer late by the feed's deadlines, at ten times the speed, and a run red for a fault that is none.
 */
export class PacedClock implements Clock {
  readonly #speed: number
  readonly #timer: NodeJS.Timeout
  #now = Date.now()
  #turnAt = performance.now()
  #sleepers: Sleeper[] = []

  constructor(speed: number) {
    this.#speed = speed
    this.#timer = setInterval(() => this.#turn(), stepMs)
  }

  now(): number {
    return Math.floor(this.#now)
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const wake = () => {
        signal?.removeEventListener('abort', abandon)
        resolve()
      }
      const sleeper = { due: this.#now + ms, wake }
      const abandon = () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper)
        wake()
      }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', abandon, { once: true })
    })
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #turn(): void {
    const at = performance.now()
    this.#now += Math.min(at - this.#turnAt, mostPerTurnMs) * this.#speed
    this.#turnAt = at
    const due = this.#sleepers.filter((one) => one.due <= this.#now)
    if (due.length === 0) return
    this.#sleepers = this.#sleepers.filter((one) => one.due > this.#now)
    for (const { wake } of due.sort((one, other) => one.due - other.due)) wake()
  }
}
