import type { Json } from '../runtime/json.ts'
import type { Origin } from '../runtime/letters/deadLetters.ts'
import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import type { Arrivals } from './arrivals.ts'

/** A value that waits until the watermark has come to its time. */
export interface HeldInOrderValue<T> {
  readonly value: T
  /** Event time, ms UTC. */
  readonly at: number
  /** The record it came with. */
  readonly origin: Origin
}

interface Waiting<T> extends HeldInOrderValue<T> {
  readonly id: string
}

/**
 * Values that wait for their time, by event time, and those of one time in the order in which they came. They are part of the checkpoint, one entry each.
 *
 * Holds what is above the watermark, with a copy of each record, until it is taken.
 */
export class HeldInOrder<T> {
  readonly #saved: KeyedState<HeldInOrderValue<T>>
  readonly #queue = new TimerQueue<Waiting<T>>()
  readonly #arrivals: Arrivals

  /** @param arrivals the operator's own, which it saves */
  constructor(codec: StateCodec<T>, restored: Restored, arrivals: Arrivals) {
    this.#arrivals = arrivals
    this.#saved = restored.keyed(heldState(codec, restored), 'held')
    for (const [id, held] of this.#saved.entries()) this.#enter({ ...held, id })
  }

  /** The earliest time that something waits for; infinite where nothing does. */
  get nextDue(): number {
    return this.#queue.nextDue
  }

  /** The latest time that something waits for. */
  get last(): number | undefined {
    let last: number | undefined
    for (const { time } of this.#queue.waiting()) if (last === undefined || time > last) last = time
    return last
  }

  hold(held: HeldInOrderValue<T>): void {
    const waiting = { ...held, id: this.#arrivals.take() }
    this.#saved.set(waiting.id, waiting)
    this.#enter(waiting)
  }

  /** Takes out what waits for the earliest time, in order, unless that is later than `until`. */
  take(until: number): readonly HeldInOrderValue<T>[] {
    const due = this.#queue.take(until)
    if (due === undefined) return []
    for (const { id } of due.items) this.#saved.delete(id)
    return due.items
  }

  /** What has got a letter by another value of its record is saved again, or a restart would number them anew. */
  #enter(waiting: Waiting<T>): void {
    waiting.origin.onNumbered(() => this.#saved.update(waiting.id))
    this.#queue.add(waiting.at, waiting)
  }
}

function heldState<T>(codec: StateCodec<T>, restored: Restored): StateCodec<HeldInOrderValue<T>> {
  return {
    encode: ({ value, at, origin }) => [at, codec.encode(value), origin.encode()],
    decode: (saved) => {
      const [at, value, origin] = saved as unknown as readonly [number, Json, Json]
      return { at, value: codec.decode(value), origin: restored.origin(origin) }
    },
  }
}
