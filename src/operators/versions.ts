import type { Json } from '../runtime/json.ts'
import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import type { Arrivals } from './arrivals.ts'
import { firstNot } from './firstNot.ts'

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
interface Row<V> {
  readonly key: string
  /** By time, and those of one time in the order in which they came. */
  readonly versions: StoredVersion<V>[]
  /** The watermark at which the first of them may go; the row stands in the queue there alone. */
  dueAt: number
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
    const versions = this.#byKey.get(key)?.versions ?? []
    const found = versions[lastUntil(versions, time)]
    return found === undefined || found.isEnd || time - found.at > this.#keepMs ? null : found.value
  }

  /** Lets go of what nothing above the watermark can find. */
  forget(watermark: number): void {
    for (let due = this.#due.take(watermark); due !== undefined; due = this.#due.take(watermark)) {
      for (const row of due.items) if (row.dueAt === due.time) this.#prune(row, watermark)
    }
  }

  #prune(row: Row<V>, watermark: number): void {
    const { key, versions } = row
    let passed = lastUntil(versions, watermark)
    const newest = versions[passed]
    if (newest !== undefined && this.#endOf(newest) > watermark) passed -= 1
    for (const { id } of versions.splice(0, passed + 1)) this.#saved.delete(id)
    row.dueAt = Number.POSITIVE_INFINITY
    if (versions.length === 0) this.#byKey.delete(key)
    else this.#enqueue(row)
  }

  #enter(version: StoredVersion<V>): void {
    const { key, at } = version
    let row = this.#byKey.get(key)
    if (row === undefined) {
      row = { key, versions: [version], dueAt: Number.POSITIVE_INFINITY }
      this.#byKey.set(key, row)
    } else {
      const { versions } = row
      let place = versions.length
      while (place > 0 && (versions[place - 1] as StoredVersion<V>).at > at) place -= 1
      versions.splice(place, 0, version)
    }
    this.#enqueue(row)
  }

  /** The first version goes when the second one has been reached, or nothing to come can find it. */
  #enqueue(row: Row<V>): void {
    const [first, second] = row.versions as [StoredVersion<V>, StoredVersion<V>?]
    const dueAt = Math.min(this.#endOf(first), second?.at ?? Number.POSITIVE_INFINITY)
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

/** The index of the last one that holds by the time, -1 for none. */
function lastUntil(versions: readonly { readonly at: number }[], time: number): number {
  return firstNot(versions, ({ at }) => at <= time) - 1
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
