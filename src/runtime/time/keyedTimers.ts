import type { KeyedState, StateCodec } from '../state/keyedState.ts'
import { TimerQueue } from './timerQueue.ts'

/** How timers are saved: one entry each, so that a delta holds those that were set or went. */
export const timerState: StateCodec<number> = { encode: (time) => time, decode: (saved) => saved as number }

interface Timer {
  readonly key: string
  readonly time: number
  /** Withdrawn ones stay in the queue until they come, or until they are most of it. */
  isCancelled: boolean
}

/**
 * The timers of one operator, by key and time, saved with its state.
 *
 * Keeps one entry a timer until it fires, and of those that are cancelled at most as many as are set, or a thousand.
 */
export class KeyedTimers {
  readonly #saved: KeyedState<number>
  readonly #set = new Map<string, Timer>()
  readonly #queue = new TimerQueue<Timer>(({ isCancelled }) => !isCancelled)
  /** Set while timers of their time fire, hence for the next move of time: a timer that sets itself again must not fire for ever. */
  #postponed: Timer[] = []
  #firing = Number.NEGATIVE_INFINITY

  constructor(saved: KeyedState<number>) {
    this.#saved = saved
    for (const [id, time] of saved.entries()) this.#enter(id, { key: keyOf(id), time, isCancelled: false })
  }

  get nextDue(): number {
    return this.#queue.nextDue
  }

  add(key: string, time: number): void {
    const id = idOf(key, time)
    if (this.#set.has(id)) return
    this.#saved.set(id, time)
    this.#enter(id, { key, time, isCancelled: false })
  }

  cancel(key: string, time: number): void {
    const id = idOf(key, time)
    const timer = this.#set.get(id)
    if (timer === undefined) return
    timer.isCancelled = true
    this.#set.delete(id)
    this.#saved.delete(id)
    this.#queue.withdraw()
  }

  /** Gives every timer that is due once, by time and then by key, also those that are set meanwhile for a later time that is due. */
  fire(watermark: number, act: (key: string, time: number) => void): void {
    for (let due = this.#queue.take(watermark); due !== undefined; due = this.#queue.take(watermark)) {
      this.#firing = due.time
      for (const timer of due.items.sort(byKey)) {
        if (timer.isCancelled) continue
        const id = idOf(timer.key, timer.time)
        this.#set.delete(id)
        this.#saved.delete(id)
        act(timer.key, timer.time)
      }
    }
    this.#firing = Number.NEGATIVE_INFINITY
    for (const timer of this.#postponed) if (!timer.isCancelled) this.#queue.add(timer.time, timer)
    this.#postponed = []
  }

  /** The latest time that a timer is set for. */
  get last(): number | undefined {
    let last: number | undefined
    for (const { time } of this.#set.values()) if (last === undefined || time > last) last = time
    return last
  }

  #enter(id: string, timer: Timer): void {
    this.#set.set(id, timer)
    if (timer.time <= this.#firing) this.#postponed.push(timer)
    else this.#queue.add(timer.time, timer)
  }
}

function byKey(a: Timer, b: Timer): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

function idOf(key: string, time: number): string {
  return `${time}@${key}`
}

function keyOf(id: string): string {
  return id.slice(id.indexOf('@') + 1)
}
