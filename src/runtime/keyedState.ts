import type { Json } from './json.ts'

/** How a value of keyed state becomes part of a checkpoint and comes back. `decode(encode(v))` must be an independent equal of `v`. */
export interface StateCodec<V> {
  encode(value: V): Json
  decode(saved: Json): V
}

/** One key and its value, for an operator that keeps it at hand instead of looking it up again. */
export interface KeyedEntry<V> {
  readonly key: string
  readonly value: V
  /** True from `delete` on: a later `set` of the key makes a new entry. */
  readonly isDeleted: boolean
}

/** So many become text together: the encoded values of all keys at once would outlive the young generation. */
const pairsAtOnce = 256

interface Entry<V> extends KeyedEntry<V> {
  value: V
  /** The cut since which the entry is known to have changed. */
  changedIn: number
  isDeleted: boolean
}

/**
 * State per key that knows which keys changed since the last cut, so that a checkpoint costs what changed and not what is kept.
 *
 * Holds one entry a key until `delete`; who bounds the number of keys is the operator. A value that is changed in place must be
 * fetched by `update`, which marks it.
 */
export class KeyedState<V> {
  readonly #codec: StateCodec<V>
  readonly #entries = new Map<string, Entry<V>>()
  #changed: Entry<V>[] = []
  #cut = 0

  constructor(codec: StateCodec<V>) {
    this.#codec = codec
  }

  /** Another number after each cut, for who remembers that something was touched since the last one. */
  get cut(): number {
    return this.#cut
  }

  /** How many keys there are. */
  get size(): number {
    return this.#entries.size
  }

  /** For reading only. */
  get(key: string): V | undefined {
    return this.#entries.get(key)?.value
  }

  /** For changing in place: the key counts as changed. */
  update(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#mark(entry)
    return entry.value
  }

  /** The key's entry, to be kept at hand. */
  entry(key: string): KeyedEntry<V> | undefined {
    return this.#entries.get(key)
  }

  /** What `update` does, for an entry at hand. */
  touch(entry: KeyedEntry<V>): V {
    this.#mark(entry as Entry<V>)
    return entry.value
  }

  /** Keeps the value for the key, which counts as changed. */
  set(key: string, value: V): KeyedEntry<V> {
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { key, value, changedIn: -1, isDeleted: false }
      this.#entries.set(key, entry)
    }
    entry.value = value
    this.#mark(entry)
    return entry
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    entry.isDeleted = true
    this.#mark(entry)
  }

  /** Keys and values, in the order in which the keys came. For reading only. */
  *entries(): IterableIterator<[string, V]> {
    for (const entry of this.#entries.values()) yield [entry.key, entry.value]
  }

  /** Everything, as JSON text of `[key, value]` pairs in insertion order; starts the next delta. */
  takeBase(): string {
    return this.#nextCut(this.#entries.values())
  }

  /** What changed since the last cut, as JSON text: `[key, value]`, or `[key]` for a deletion; starts the next delta. */
  takeDelta(): string {
    // A key that went and came back is both, so that it stands behind the others after a restore as it does now.
    return this.#nextCut(this.#changed)
  }

  /** Applies a base or a delta as `takeBase` and `takeDelta` gave them; what it restores does not count as changed. */
  restore(pairs: readonly (readonly [string, Json] | readonly [string])[]): void {
    for (const pair of pairs) {
      if (pair.length === 1) this.#entries.delete(pair[0])
      else {
        const value = this.#codec.decode(pair[1])
        const entry = this.#entries.get(pair[0])
        if (entry === undefined) this.#entries.set(pair[0], { key: pair[0], value, changedIn: -1, isDeleted: false })
        else entry.value = value
      }
    }
  }

  #mark(entry: Entry<V>): void {
    if (entry.changedIn === this.#cut) return
    entry.changedIn = this.#cut
    this.#changed.push(entry)
  }

  #nextCut(entries: Iterable<Entry<V>>): string {
    let text = ''
    let pairs: Json[] = []
    const write = () => {
      if (pairs.length > 0) text += `${text === '' ? '' : ','}${JSON.stringify(pairs).slice(1, -1)}`
      pairs = []
    }
    for (const { key, value, isDeleted } of entries) {
      pairs.push(isDeleted ? [key] : [key, this.#codec.encode(value)])
      if (pairs.length === pairsAtOnce) write()
    }
    write()
    this.#changed = []
    this.#cut += 1
    return `[${text}]`
  }
}
