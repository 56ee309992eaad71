import type { Json } from '../runtime/json.ts'
import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedEntry, KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import type { Arrivals } from './arrivals.ts'
import { TimeRow } from './timeRow.ts'

/** A value that a join keeps. */
export class Kept<V> {
  readonly key: string
  /** Event time, ms UTC. */
  readonly at: number
  readonly value: V
  /** True once it has had a partner. */
  isMatched: boolean
  entry: KeyedEntry<Kept<V>> | null = null

  constructor(key: string, at: number, value: V, isMatched: boolean) {
    this.key = key
    this.at = at
    this.value = value
    this.isMatched = isMatched
  }
}

/**
 * One side of a join in time: its values by key and time, each kept for a time after its own. They are part of the checkpoint, one entry each.
 *
 * Lets go of a value when it is taken out by `takeDue`, also where its key never comes again.
 */
export class JoinSide<V> {
  readonly #keepMs: number
  readonly #saved: KeyedState<Kept<V>>
  /** By key: its value, where there is one, and a row where there are several. */
  readonly #rows = new Map<string, Kept<V> | TimeRow<Kept<V>>>()
  readonly #due = new TimerQueue<Kept<V>>()
  readonly #arrivals: Arrivals

  /**
   * @param map under which its values are saved
   * @param keepMs after its own time, how long a value is kept
   * @param arrivals the operator's own, which it saves
   */
  constructor(restored: Restored, map: string, codec: StateCodec<V>, keepMs: number, arrivals: Arrivals) {
    this.#arrivals = arrivals
    this.#keepMs = keepMs
    this.#saved = restored.keyed(keptState(codec), map)
    for (const [id, kept] of this.#saved.entries()) {
      kept.entry = this.#saved.entry(id) ?? null
      this.#enter(kept)
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

  /** @param at event time, ms UTC */
  add(key: string, at: number, value: V, isMatched: boolean): void {
    const kept = new Kept(key, at, value, isMatched)
    kept.entry = this.#saved.set(this.#arrivals.take(), kept)
    this.#enter(kept)
  }

  /** Those of the key with `from <= at <= to`, by time. */
  between(key: string, from: number, to: number): readonly Kept<V>[] {
    const row = this.#rows.get(key)
    if (row === undefined) return []
    if (row instanceof Kept) return row.at >= from && row.at <= to ? [row] : []
    return row.between(from, to)
  }

  /** It has got a partner, which is saved. */
  match(kept: Kept<V>): void {
    if (kept.isMatched) return
    kept.isMatched = true
    this.#saved.touch(kept.entry as KeyedEntry<Kept<V>>)
  }

  /** Takes out what is kept no longer than until `time`, by key. */
  takeDue(time: number): readonly Kept<V>[] {
    const due = this.#due.take(time)?.items ?? []
    for (const { key, entry } of due) {
      this.#saved.delete((entry as KeyedEntry<Kept<V>>).key)
      this.#shift(key)
    }
    return due.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  }

  #enter(kept: Kept<V>): void {
    const { key, at } = kept
    const row = this.#rows.get(key)
    if (row === undefined) this.#rows.set(key, kept)
    else if (row instanceof TimeRow) row.add(kept)
    else {
      const several = new TimeRow<Kept<V>>()
      several.add(row)
      several.add(kept)
      this.#rows.set(key, several)
    }
    this.#due.add(at + this.#keepMs, kept)
  }

  /** All are kept for the same time, so it is the first of its key that goes. */
  #shift(key: string): void {
    const row = this.#rows.get(key)
    if (row instanceof TimeRow) row.shift()
    if (!(row instanceof TimeRow) || row.first === undefined) this.#rows.delete(key)
  }
}

type SavedKept = readonly [key: string, at: number, value: Json, isMatched: boolean]

function keptState<V>(codec: StateCodec<V>): StateCodec<Kept<V>> {
  return {
    encode: ({ key, at, value, isMatched }) => [key, at, codec.encode(value), isMatched],
    decode: (saved) => {
      const [key, at, value, isMatched] = saved as unknown as SavedKept
      return new Kept(key, at, codec.decode(value), isMatched)
    },
  }
}
