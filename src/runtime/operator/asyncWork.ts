import type { Pace } from '../pace.ts'

/** A call that was started or waits for its turn. */
interface Slot {
  call: (() => Promise<unknown>) | null
  readonly deliver: (result: unknown) => void
  readonly fail: (error: unknown) => void
  result: unknown
  error: unknown
  state: 'waiting' | 'running' | 'resolved' | 'rejected'
}

/**
 * Asynchronous calls of one operator, at most so many at a time, whose results are delivered in the order of the calls.
 *
 * Holds the calls that are not delivered. Nothing is delivered by itself: `onDone` says that something could be.
 */
export class AsyncWork {
  readonly #concurrency: number
  readonly #onDone: () => void
  /** Null where calls may follow one another as they like. */
  readonly pace: Pace | null
  #slots: Slot[] = []
  #running = 0
  #isAbandoned = false
  #changed: PromiseWithResolvers<void> | null = null

  constructor(concurrency: number, onDone: () => void = () => undefined, pace: Pace | null = null) {
    this.pace = pace
    this.#concurrency = concurrency
    this.#onDone = onDone
  }

  get isIdle(): boolean {
    return this.#slots.length === 0
  }

  /** True once as many calls as may run are not delivered. */
  get isSaturated(): boolean {
    return this.#slots.length >= this.#concurrency
  }

  /** `fail` takes what the call throws or its promise is rejected with. */
  add<R>(call: () => Promise<R>, deliver: (result: R) => void, fail: (error: unknown) => void): void {
    const slot: Slot = {
      call,
      deliver: deliver as (result: unknown) => void,
      fail,
      result: undefined,
      error: undefined,
      state: 'waiting',
    }
    this.#slots.push(slot)
    this.#startMore()
  }

  /** Takes in what needs no call, to be delivered in its turn. */
  addDone(deliver: () => void): void {
    this.#slots.push({ call: null, deliver, fail: unasked, result: undefined, error: undefined, state: 'resolved' })
  }

  /** Resolves when every call is done. */
  async settle(): Promise<void> {
    while (this.#slots.some(isUnderWay)) {
      this.#changed ??= Promise.withResolvers()
      await this.#changed.promise
    }
  }

  /** Delivers, in order, what is done and has nothing before it that is not. */
  release(): void {
    const next = this.#slots.findIndex(isUnderWay)
    const done = this.#slots.splice(0, next < 0 ? this.#slots.length : next)
    for (const slot of done) {
      if (slot.state === 'resolved') slot.deliver(slot.result)
      else slot.fail(slot.error)
    }
  }

  /** Starts and delivers nothing any more. */
  abandon(): void {
    this.#isAbandoned = true
    this.#slots = []
    this.pace?.abandon()
  }

  #startMore(): void {
    for (const slot of this.#slots) {
      if (this.#running >= this.#concurrency || this.#isAbandoned) return
      if (slot.state === 'waiting') this.#start(slot)
    }
  }

  #start(slot: Slot): void {
    const call = slot.call as () => Promise<unknown>
    slot.call = null
    slot.state = 'running'
    this.#running += 1
    const done = (state: 'resolved' | 'rejected') => {
      slot.state = state
      this.#running -= 1
      this.#startMore()
      this.#changed?.resolve()
      this.#changed = null
      if (!this.#isAbandoned) this.#onDone()
    }
    // An exception of the call itself is treated as a rejection, and comes as late as one.
    new Promise((resolve) => resolve(call())).then(
      (result) => {
        slot.result = result
        done('resolved')
      },
      (error: unknown) => {
        slot.error = error
        done('rejected')
      },
    )
  }
}

function unasked(error: unknown): void {
  throw new Error('bug: a value without a call has failed', { cause: error })
}

function isUnderWay(slot: Slot): boolean {
  return slot.state === 'waiting' || slot.state === 'running'
}
