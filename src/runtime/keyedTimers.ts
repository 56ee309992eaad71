import type { KeyedState, StateCodec } from './keyedState.ts'
import { TimerQueue } from './timerQueue.ts'

/** How timers are saved: one entry each, so that a delta holds those that were set or went. */
export const timerState: StateCodec<number> = { encode: (time) => time, decode: (saved) => saved as number }

/**
 * The timers of one operator, by key and time, saved with its state.
 *
 * Keeps one entry a timer until it fires or is cancelled.
 */
export class KeyedTimers {
  readonly #saved: KeyedState<number>
  readonly #queue = new TimerQueue<string>()
  /** Set while timers of their time fire, hence for the next move of time: a timer that sets itself again must not fire for ever. */
  #postponed: { readonly time: number; readonly key: string }[] = []
  #firing = Number.NEGATIVE_INFINITY

  constructor(saved: KeyedState<number>) {
    this.#saved = saved
    for (const [id, time] of saved.entries()) this.#queue.add(time, keyOf(id))
  }

  get nextDue(): number {
    return this.#queue.nextDue
  }

  add(key: string, time: number): void {
    const id = idOf(key, time)
    if (this.#saved.get(id) !== undefined) return
    this.#saved.set(id, time)
    if (time <= this.#firing) this.#postponed.push({ time, key })
    else this.#queue.add(time, key)
  }

  cancel(key: string, time: number): void {
    this.#saved.delete(idOf(key, time))
  }

  /** Gives every timer that is due once, by time and then by key, also those that are set meanwhile for a later time that is due. */
  fire(watermark: number, act: (key: string, time: number) => void): void {
    for (let due = this.#queue.take(watermark); due !== undefined; due = this.#queue.take(watermark)) {
      this.#firing = due.time
      for (const key of due.items.sort()) {
        const id = idOf(key, due.time)
        if (this.#saved.get(id) === undefined) continue
        this.#saved.delete(id)
        act(key, due.time)
      }
    }
    this.#firing = Number.NEGATIVE_INFINITY
    for (const { time, key } of this.#postponed) this.#queue.add(time, key)
    this.#postponed = []
  }

  /** The latest time that a timer is set for. */
  get last(): number | undefined {
    let last: number | undefined
    for (const [, time] of this.#saved.entries()) if (last === undefined || time > last) last = time
    return last
  }
}

function idOf(key: string, time: number): string {
  return `${time}@${key}`
}

function keyOf(id: string): string {
  return id.slice(id.indexOf('@') + 1)
}
