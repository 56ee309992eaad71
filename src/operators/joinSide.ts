import type { Json } from '../runtime/json.ts'
import type { KeyedEntry, KeyedState, StateCodec } from '../runtime/keyedState.ts'
import type { Restored } from '../runtime/operator.ts'
import { TimerQueue } from '../runtime/timerQueue.ts'
import type { Arrivals } from './arrivals.ts'
import { firstNot } from './firstNot.ts'

/** A value that a join keeps. */
export interface Kept<V> {
  readonly key: string
  /** Event time, ms UTC. */
  readonly at: number
  readonly value: V
}

interface Stored<V> extends Kept<V> {
  isMatched: boolean
  entry: KeyedEntry<Stored<V>> | null
}

/** The values of a key by time, and those of one time in the order in which they came; in the places before `head` there is none any more. */
interface Row<V> {
  values: (Stored<V> | undefined)[]
  head: number
}

/** How far the front of a row may be empty before it is cut off. */
const mostEmpty = 16

/**
 * One side of a join in time: its values by key and time, each kept for a time after its own. They are part of the checkpoint, one entry each.
 *
 * Lets go of a value when it is taken out by `takeDue`, also where its key never comes again.
 */
export class JoinSide<V> {
  readonly #keepMs: number
  readonly #saved: KeyedState<Stored<V>>
  readonly #rows = new Map<string, Row<V>>()
  readonly #due = new TimerQueue<Stored<V>>()
  readonly #arrivals: Arrivals

  /**
   * @param map under which its values are saved
   * @param keepMs after its own time, how long a value is kept
   * @param arrivals the operator's own, which it saves
   */
  constructor(restored: Restored, map: string, codec: StateCodec<V>, keepMs: number, arrivals: Arrivals) {
    this.#arrivals = arrivals
    this.#keepMs = keepMs
    this.#saved = restored.keyed(storedState(codec), map)
    for (const [id, stored] of this.#saved.entries()) {
      stored.entry = this.#saved.entry(id) ?? null
      this.#enter(stored)
    }
  }

  get nextDue(): number {
    return this.#due.nextDue
  }

  /** The latest time at which one is due that `isOpen`. */
  lastDue(isOpen: (one: { readonly isMatched: boolean }) => boolean): number | undefined {
    let last: number | undefined
    for (const { time, items } of this.#due.waiting()) {
      if ((last === undefined || time > last) && items.some(isOpen)) last = time
    }
    return last
  }

  add(kept: Kept<V>, isMatched: boolean): void {
    const stored: Stored<V> = { ...kept, isMatched, entry: null }
    stored.entry = this.#saved.set(this.#arrivals.take(), stored)
    this.#enter(stored)
  }

  /** Those of the key with `from <= at <= to`, by time. */
  between(key: string, from: number, to: number): readonly Stored<V>[] {
    const row = this.#rows.get(key)
    if (row === undefined) return []
    const { values } = row
    const first = firstNot(values, (stored) => (stored as Stored<V>).at < from, row.head)
    let end = first
    while (end < values.length && (values[end] as Stored<V>).at <= to) end += 1
    return first === end ? [] : (values.slice(first, end) as Stored<V>[])
  }

  /** It has got a partner, which is saved. */
  match(stored: Stored<V>): void {
    if (stored.isMatched) return
    stored.isMatched = true
    this.#saved.touch(stored.entry as KeyedEntry<Stored<V>>)
  }

  /** Takes out what is kept no longer than until `time`, by key. */
  takeDue(time: number): readonly Stored<V>[] {
    const due = this.#due.take(time)?.items ?? []
    for (const stored of due) {
      this.#saved.delete((stored.entry as KeyedEntry<Stored<V>>).key)
      this.#shift(stored.key)
    }
    return due.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  }

  #enter(stored: Stored<V>): void {
    const row = this.#rows.get(stored.key)
    if (row === undefined) this.#rows.set(stored.key, { values: [stored], head: 0 })
    else {
      const { values } = row
      let at = values.length
      while (at > row.head && (values[at - 1] as Stored<V>).at > stored.at) at -= 1
      if (at === values.length) values.push(stored)
      else values.splice(at, 0, stored)
    }
    this.#due.add(stored.at + this.#keepMs, stored)
  }

  /** All are kept for the same time, so it is the first of its key that goes. */
  #shift(key: string): void {
    const row = this.#rows.get(key) as Row<V>
    row.values[row.head] = undefined
    row.head += 1
    if (row.head === row.values.length) this.#rows.delete(key)
    else if (row.head > mostEmpty && row.head * 2 > row.values.length) {
      row.values = row.values.slice(row.head)
      row.head = 0
    }
  }
}

type SavedStored = readonly [key: string, at: number, value: Json, isMatched: boolean]

function storedState<V>(codec: StateCodec<V>): StateCodec<Stored<V>> {
  return {
    encode: ({ key, at, value, isMatched }) => [key, at, codec.encode(value), isMatched],
    decode: (saved) => {
      const [key, at, value, isMatched] = saved as unknown as SavedStored
      return { key, at, value: codec.decode(value), isMatched, entry: null }
    },
  }
}
