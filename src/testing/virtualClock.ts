import type { Clock } from '../runtime/clock.ts'

interface Sleeper {
  readonly due: number
  /** Of two that are due together, the one that fell asleep first wakes first. */
  readonly sequence: number
  readonly place: string | null
  wake: (() => void) | null
}

/** When virtual time begins, and when it has gone on for too long. */
export interface VirtualClockOptions {
  /** ms UTC at the start; 2024-08-09T00:00:00Z unless told otherwise. */
  readonly startMs?: number
  /** How much virtual time `run` may pass before it says that the work does not end; 30 days unless told otherwise. */
  readonly limitMs?: number
  /** Remember where each sleeper was put to sleep, for the message; costs a stack trace a sleep. */
  readonly trace?: boolean
}

/**
 * Time that passes only when nothing else can happen: `run` lets promises settle, then jumps to the next sleeper. An hour
 * of backoff takes microseconds and the same program always runs the same way.
 *
 * What truly waits for the machine (a file, a thread) is wrapped in `hold`, during which virtual time stands still.
 */
export class VirtualClock implements Clock {
  readonly #limitMs: number
  readonly #trace: boolean
  readonly #startMs: number
  #now: number
  #sequence = 0
  #heap: Sleeper[] = []
  #held = 0

  constructor(options: VirtualClockOptions = {}) {
    this.#startMs = options.startMs ?? Date.UTC(2024, 7, 9)
    this.#now = this.#startMs
    this.#limitMs = options.limitMs ?? 30 * 86_400_000
    this.#trace = options.trace ?? false
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    const place = this.#trace ? callSite() : null
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        due: this.#now + Math.max(0, ms),
        sequence: this.#sequence++,
        place,
        wake: () => {
          sleeper.wake = null
          signal?.removeEventListener('abort', wake)
          resolve()
        },
      }
      const wake = () => sleeper.wake?.()
      signal?.addEventListener('abort', wake, { once: true })
      this.#push(sleeper)
    })
  }

  /** Gives what the work gives, and keeps virtual time from passing until then. */
  async hold<T>(work: Promise<T>): Promise<T> {
    this.#held++
    try {
      return await work
    } finally {
      this.#held--
    }
  }

  /**
   * Drives the work to its end and gives its result. Throws when it can never end, because it waits and nobody sleeps,
   * and when it has not ended within `limitMs` of virtual time; the message says what sleeps.
   */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const done = () => {
      isDone = true
    }
    work.then(done, done)
    for (;;) {
      await this.settle()
      if (isDone) return work
      if (this.#held > 0) continue
      const next = this.#peek()
      if (next === null) throw new Error(this.#describe('the work waits for something that nobody will bring about'))
      if (next.due - this.#startMs > this.#limitMs) {
        throw new Error(this.#describe(`the work has not ended after ${this.#limitMs} ms of virtual time`))
      }
      this.#wakeNext()
    }
  }

  /** Passes `ms` of virtual time, waking whoever is due on the way, each at its own time. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.settle()
    for (let next = this.#peek(); next !== null && next.due <= until; next = this.#peek()) {
      this.#wakeNext()
      await this.settle()
    }
    this.#now = until
  }

  /** Resolves when every promise that can go on without time passing has gone on. */
  async settle(): Promise<void> {
    // Promise callbacks all run before the next immediate does; the second turn is for code that itself yields by one.
    await nextTurn()
    await nextTurn()
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.#heap.reduce((count, sleeper) => count + (sleeper.wake === null ? 0 : 1), 0)
  }

  #wakeNext(): void {
    const next = this.#peek()
    if (next === null) return
    this.#pop()
    this.#now = Math.max(this.#now, next.due)
    next.wake?.()
  }

  /** The next one that still sleeps; those an abort has woken are forgotten here. */
  #peek(): Sleeper | null {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined) return null
      if (first.wake !== null) return first
      this.#pop()
    }
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap
    let at = heap.push(sleeper) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isEarlier(sleeper, heap[parent] as Sleeper)) break
      heap[at] = heap[parent] as Sleeper
      at = parent
    }
    heap[at] = sleeper
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isEarlier(heap[child + 1] as Sleeper, heap[child] as Sleeper)) child++
      if (!isEarlier(heap[child] as Sleeper, last)) break
      heap[at] = heap[child] as Sleeper
      at = child
    }
    heap[at] = last
  }

  #describe(what: string): string {
    const asleep = this.#heap.filter((sleeper) => sleeper.wake !== null).sort((a, b) => a.due - b.due)
    const shown = asleep.slice(0, 8).map((sleeper) => {
      const place = sleeper.place ?? 'construct the clock with trace: true to see where'
      return `  due in ${sleeper.due - this.#now} ms (${place})`
    })
    const list = asleep.length === 0 ? 'Nothing sleeps.' : [`${asleep.length} asleep:`, ...shown].join('\n')
    return `virtual clock at ${new Date(this.#now).toISOString()}: ${what}. ${list}`
  }
}

function isEarlier(a: Sleeper, b: Sleeper): boolean {
  return a.due === b.due ? a.sequence < b.sequence : a.due < b.due
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function callSite(): string {
  const lines = new Error('asleep').stack?.split('\n') ?? []
  const outside = lines.slice(1).find((line) => !/virtualClock\.[jt]s/.test(line))
  return outside?.trim() ?? 'unknown place'
}
