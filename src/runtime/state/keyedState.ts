import type { Json } from '../json.ts'

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
const pairsAtOnce = 64
/** And so many of a portion, which ends at one of them. */
const portionPairsAtOnce = 4

const never = -1
const deleted = -2

class Entry<V> implements KeyedEntry<V> {
  readonly key: string
  value: V
  /** The cut since which the entry is known to have changed. */
  changedIn = never
  /** The number of the whole state that has the entry in one of its portions. */
  portionOf = never

  constructor(key: string, value: V) {
    this.key = key
    this.value = value
  }

  get isDeleted(): boolean {
    return this.portionOf === deleted
  }
}

/** A whole state that is being taken in portions. */
interface Walk<V> {
  /** Behind the entries that are in a portion. Entries that come later are behind those that it has yet to give; it is never asked at its end, after which it would give no more. */
  readonly entries: Iterator<Entry<V>>
  /** How many entries are in a portion and not deleted since. */
  taken: number
}

/**
 * State per key that knows which keys changed since the last cut, so that a checkpoint costs what changed and not what is kept.
 *
 * Holds one entry a key until `delete`; who bounds the number of keys is the operator. A value that is changed in place must be
 * fetched by `update`, which marks it.
 */
export class KeyedState<V> {
  readonly #codec: StateCodec<V> | null
  readonly #entries = new Map<string, Entry<V>>()
  #changed: Entry<V>[] = []
  #cut = 0
  /** The number of the last whole state that was taken in portions. */
  #whole = 0
  #walk: Walk<V> | null = null

  /** @param codec null where no cut ever comes, so that nothing is remembered for one */
  constructor(codec: StateCodec<V> | null) {
    this.#codec = codec
  }

  /** How many cuts there were, for who remembers that something was touched since the last one. */
  get cut(): number {
    return this.#cut
  }

  /** How many keys there are. */
  get size(): number {
    return this.#entries.size
  }

  /** How many keys have changed since the last cut. */
  get changed(): number {
    return this.#changed.length
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
      entry = new Entry(key, value)
      this.#entries.set(key, entry)
    } else entry.value = value
    this.#mark(entry)
    return entry
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    if (this.#walk !== null && entry.portionOf === this.#whole) this.#walk.taken -= 1
    entry.portionOf = deleted
    this.#mark(entry)
  }

  /** Keys and values, in the order in which the keys came. For reading only. */
  *entries(): IterableIterator<[string, V]> {
    for (const entry of this.#entries.values()) yield [entry.key, entry.value]
  }

  /** Everything, as JSON text of `[key, value]` pairs in insertion order with commas between, in pieces that a comma belongs between as well; starts the next delta. */
  takeBase(): readonly string[] {
    this.#walk = null
    return this.#nextCut(this.#entries.values())
  }

  /** What changed since the last cut, in the same form: `[key, value]`, or `[key]` for a deletion; starts the next delta. */
  takeDelta(): readonly string[] {
    // A key that went and came back is both, so that it stands behind the others after a restore as it does now.
    return this.#nextCut(this.#changed)
  }

  /** From here on `takePortion` gives everything once more. */
  startPortions(): void {
    this.#whole += 1
    this.#walk = { entries: this.#entries.values(), taken: 0 }
  }

  /** True from `startPortions` until `endPortions`. */
  get isInPortions(): boolean {
    return this.#walk !== null
  }

  /** How many keys no portion has. Keys that come between two portions are among them. */
  get left(): number {
    return this.#walk === null ? 0 : this.#entries.size - this.#walk.taken
  }

  /**
   * The next entries, as they are now and in the form of `takeBase`: all that are left, or as many as have so much text and some more. To be called at a cut.
   *
   * All portions, with the deltas of the cuts between them as far as these concern keys that an earlier portion has, come to what `takeBase` would give at the last of them, in the same order.
   */
  takePortion(mostChars: number): readonly string[] {
    const walk = this.#walk as Walk<V>
    const text = new PairsText(portionPairsAtOnce)
    while (this.left > 0 && text.chars < mostChars) {
      const entry = walk.entries.next().value as Entry<V>
      entry.portionOf = this.#whole
      walk.taken += 1
      text.add([entry.key, this.#saved(entry)])
    }
    return text.end()
  }

  /** Nothing more is taken in portions. */
  endPortions(): void {
    this.#walk = null
  }

  /** Applies a base, or a delta, of which the pieces were put together and read; what it restores does not count as changed. */
  restore(pairs: readonly (readonly [string, Json] | readonly [string])[]): void {
    for (const pair of pairs) {
      if (pair.length === 1) this.#entries.delete(pair[0])
      else {
        const value = (this.#codec as StateCodec<V>).decode(pair[1])
        const entry = this.#entries.get(pair[0])
        if (entry === undefined) this.#entries.set(pair[0], new Entry(pair[0], value))
        else entry.value = value
      }
    }
  }

  #mark(entry: Entry<V>): void {
    if (entry.changedIn === this.#cut || this.#codec === null) return
    entry.changedIn = this.#cut
    this.#changed.push(entry)
  }

  #saved({ value }: Entry<V>): Json {
    return (this.#codec as StateCodec<V>).encode(value)
  }

  #nextCut(entries: Iterable<Entry<V>>): readonly string[] {
    const text = new PairsText(pairsAtOnce)
    for (const entry of entries) {
      const { key } = entry
      text.add(entry.isDeleted ? [key] : [key, this.#saved(entry)])
    }
    this.#changed = []
    this.#cut += 1
    return text.end()
  }
}

/** Makes pairs text, some at a time. */
class PairsText {
  /** Of what is text so far. */
  chars = 0
  readonly #pieces: string[] = []
  readonly #pairsAtOnce: number
  #pairs: Json[] = []

  constructor(pairsAtOnce: number) {
    this.#pairsAtOnce = pairsAtOnce
  }

  add(pair: Json): void {
    this.#pairs.push(pair)
    if (this.#pairs.length === this.#pairsAtOnce) this.#write()
  }

  end(): readonly string[] {
    if (this.#pairs.length > 0) this.#write()
    return this.#pieces
  }

  #write(): void {
    const piece = JSON.stringify(this.#pairs).slice(1, -1)
    this.chars += piece.length
    this.#pieces.push(piece)
    this.#pairs = []
  }
}
