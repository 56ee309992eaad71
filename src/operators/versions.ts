import type { Json } from '../runtime/json.ts'
import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import type { Arrivals } from './arrivals.ts'
import { TimeRow } from './timeRow.ts'

interface Version<V> {
  readonly key: string
  /** Event time from which it holds, ms UTC. */
  readonly at: number
  readonly value: V
  /** True where it only ends the one before it. */
  readonly isEnd: boolean
}

interface StoredVersion<V> extends Version<V> {
  readonly id: string
}

/** What is kept of a key. */
class Row<V> extends TimeRow<StoredVersion<V>> {
  readonly key: string
  /** The watermark at which the first of them may go; the row stands in the queue there alone. */
  dueAt = Number.POSITIVE_INFINITY

  constructor(key: string) {
    super()
    this.key = key
  }
}

/**
 * What held when, by key: each version from its time on, until the next one, and at most for `keepMs`. They are part of the checkpoint, one entry each.
 *
 * Keeps those above the watermark and the newest at or below it, the latter as long as something above the watermark can find it.
 */
export class Versions<V> {
  readonly #keepMs: number
  readonly #saved: KeyedState<Version<V>>
  readonly #byKey = new Map<string, Row<V>>()
  readonly #due = new TimerQueue<Row<V>>(({ dueAt }, time) => dueAt === time)
  readonly #arrivals: Arrivals

  /** @param arrivals the operator's own, which it saves */
  constructor(restored: Restored, codec: StateCodec<V>, keepMs: number, arrivals: Arrivals) {
    this.#arrivals = arrivals
    this.#keepMs = keepMs
    this.#saved = restored.keyed(versionState(codec), 'versions')
    for (const [id, version] of this.#saved.entries()) {
      this.#enter({ ...version, id })
    }
  }

  /** The earliest watermark at which something may go; infinite for none. */
  get nextDue(): number {
    return this.#due.nextDue
  }

  add(key: string, at: number, value: V, isEnd: boolean): void {
    const id = this.#arrivals.take()
    const version = { key, at, value, isEnd, id }
    this.#saved.set(id, version)
    this.#enter(version)
  }

  /** What holds at the time; null for nothing. */
  asOf(key: string, time: number): V | null {
    const found = this.#byKey.get(key)?.lastUntil(time)
    return found === undefined || found.isEnd || time - found.at > this.#keepMs ? null : found.value
  }

  /** Lets go of what nothing above the watermark can find. */
  forget(watermark: number): void {
    for (let due = this.#due.take(watermark); due !== undefined; due = this.#due.take(watermark)) {
      for (const row of due.items) if (row.dueAt === due.time) this.#prune(row, watermark)
    }
  }

  #prune(row: Row<V>, watermark: number): void {
    for (let { first } = row; first !== undefined && this.#isOver(first, row.second, watermark); first = row.first) {
      row.shift()
      this.#saved.delete(first.id)
    }
    row.dueAt = Number.POSITIVE_INFINITY
    if (row.first === undefined) this.#byKey.delete(row.key)
    else this.#enqueue(row, row.first)
  }

  /** Whether nothing above the watermark can find it. */
  #isOver(version: StoredVersion<V>, next: StoredVersion<V> | undefined, watermark: number): boolean {
    return (next !== undefined && next.at <= watermark) || this.#endOf(version) <= watermark
  }

  #enter(version: StoredVersion<V>): void {
    const row = this.#byKey.get(version.key) ?? new Row<V>(version.key)
    this.#byKey.set(version.key, row)
    row.add(version)
    this.#enqueue(row, row.first as StoredVersion<V>)
  }

  /** The first version goes when the second one has been reached, or nothing to come can find it. */
  #enqueue(row: Row<V>, first: StoredVersion<V>): void {
    const dueAt = Math.min(this.#endOf(first), row.second?.at ?? Number.POSITIVE_INFINITY)
    if (dueAt === row.dueAt) return
    const isQueued = row.dueAt < Number.POSITIVE_INFINITY
    row.dueAt = dueAt
    this.#due.add(dueAt, row)
    if (isQueued) this.#due.withdraw()
  }

  /** The watermark from which on nothing to come finds the version. */
  #endOf({ at, isEnd }: StoredVersion<V>): number {
    return isEnd ? at : at + this.#keepMs
  }
}

type SavedVersion = readonly [key: string, at: number, value: Json, isEnd: boolean]

function versionState<V>(codec: StateCodec<V>): StateCodec<Version<V>> {
  return {
    encode: ({ key, at, value, isEnd }) => [key, at, codec.encode(value), isEnd],
    decode: (saved) => {
      const [key, at, value, isEnd] = saved as unknown as SavedVersion
      return { key, at, value: codec.decode(value), isEnd }
    },
  }
}
