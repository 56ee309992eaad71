import type { Json } from '../runtime/json.ts'
import type { KeyedState, StateCodec } from '../runtime/keyedState.ts'
import type { Restored } from '../runtime/operator.ts'
import { TimerQueue } from '../runtime/timerQueue.ts'
import type { Arrivals } from './arrivals.ts'

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

/**
 * What held when, by key: each version from its time on, until the next one, and at most for `keepMs`. They are part of the checkpoint, one entry each.
 *
 * Keeps those above the watermark and the newest at or below it, the latter as long as something above the watermark can find it.
 */
export class Versions<V> {
  readonly #keepMs: number
  readonly #saved: KeyedState<Version<V>>
  /** By time, and those of one time in the order in which they came. */
  readonly #byKey = new Map<string, StoredVersion<V>[]>()
  /** Keys of which something may go. */
  readonly #due = new TimerQueue<string>()
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
    this.#saved.set(id, { key, at, value, isEnd })
    this.#enter({ key, at, value, isEnd, id })
  }

  /** What holds at the time; null for nothing. */
  asOf(key: string, time: number): V | null {
    const found = this.#byKey.get(key)?.findLast(({ at }) => at <= time)
    return found === undefined || found.isEnd || time - found.at > this.#keepMs ? null : found.value
  }

  /** Lets go of what nothing above the watermark can find. */
  forget(watermark: number): void {
    for (let due = this.#due.take(watermark); due !== undefined; due = this.#due.take(watermark)) {
      for (const key of new Set(due.items)) this.#prune(key, watermark)
    }
  }

  #prune(key: string, watermark: number): void {
    const versions = this.#byKey.get(key)
    if (versions === undefined) return
    let passed = versions.findLastIndex(({ at }) => at <= watermark)
    const newest = versions[passed]
    if (newest === undefined) return
    if (!newest.isEnd && newest.at + this.#keepMs > watermark) passed -= 1
    for (const { id } of versions.splice(0, passed + 1)) this.#saved.delete(id)
    if (versions.length === 0) this.#byKey.delete(key)
  }

  #enter(version: StoredVersion<V>): void {
    const { key, at } = version
    const versions = this.#byKey.get(key)
    if (versions === undefined) this.#byKey.set(key, [version])
    else {
      let place = versions.length
      while (place > 0 && (versions[place - 1] as StoredVersion<V>).at > at) place -= 1
      versions.splice(place, 0, version)
    }
    this.#due.add(at, key)
    this.#due.add(at + this.#keepMs, key)
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
