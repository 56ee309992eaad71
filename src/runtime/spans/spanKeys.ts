import { mostAhead } from '../log/readAhead.ts'
import { columnOf, type Lent, mostNumbers, textsWith } from './lent.ts'
import type { TextColumn } from './lentColumn.ts'
import type { Span } from './span.ts'
import { SpanColumn } from './spanColumns.ts'

const noTags = new Float64Array(0)

/** The keys of the values of a span, as a callback gives them. Each key has a slot, from 0 in the order in which keys come, so that what is kept for it is looked up once; a key without a number may have several. */
export class SpanKeys<T> extends SpanColumn<T, string> {
  /** By record: the slot of its key. */
  readonly slots = new Int32Array(mostAhead)
  /** By slot: the number of the key in the numbering; below 0 for none. */
  readonly numbers = new Int32Array(mostAhead)
  /** How many slots there are. */
  count = 0
  #column: TextColumn | null = null
  /** By slot: the first record of the key. */
  readonly #firsts = new Int32Array(mostAhead)
  /** By slot: the key, where keys lie in no column. */
  readonly #own: string[] = []
  /** Where the texts lie that the keys of values one by one are probably among. */
  #likely: TextColumn | null = null
  #isLikelyKnown = false
  /** Grows by so much with each reading that a tag says of which one it is. */
  #base = 0
  /** By number: its slot, above the base of the reading in which it has that. */
  #tags = noTags

  override read(span: Span<T>, count: number): number {
    this.count = 0
    this.#isLikelyKnown = false
    this.#base += mostAhead
    return super.read(span, count)
  }

  /** Says what the numbers of keys are worth: under the same object a number is that of the same key. Null where no key has one. */
  get numbering(): object | null {
    return (this.#column ?? this.#likely)?.numbering ?? null
  }

  /** The key that has the slot. */
  keyAt(slot: number): string {
    return this.#column === null ? (this.#own[slot] as string) : this.#column.at(this.#firsts[slot] as number)
  }

  protected useColumn(value: Lent<unknown>): boolean {
    const column = value[columnOf](this.ask)
    this.#column = column?.kind === 'texts' ? column.texts : null
    return this.#column !== null
  }

  protected override readColumn(records: Int32Array, count: number): void {
    const { slots } = this
    const { ordinals } = this.#column as TextColumn
    const base = this.#base
    let tags = this.#tags
    for (let i = 0; i < count; i += 1) {
      const record = records[i] as number
      const number = ordinals[record] as number
      const slot = number >= 0 && number < tags.length ? (tags[number] as number) - base : -1
      if (slot >= 0) slots[record] = slot
      else {
        slots[record] = this.#begin(record, number)
        tags = this.#tags
      }
    }
  }

  protected put(record: number, said: string, value: Lent<unknown>): boolean {
    if (typeof said !== 'string') return false
    if (!this.#isLikelyKnown) {
      this.#isLikelyKnown = true
      this.#likely = value[textsWith](said)
    }
    const likely = this.#likely
    const number = likely?.ordinals[record] ?? -1
    let slot = (this.#tags[number] ?? 0) - this.#base
    if (slot < 0) slot = this.count - 1
    if (slot < 0 || this.#own[slot] !== said) {
      slot = this.#begin(record, likely?.at(record) === said ? number : -1)
      this.#own[slot] = said
    }
    this.slots[record] = slot
    return true
  }

  #begin(record: number, number: number): number {
    const slot = this.count
    this.count += 1
    this.#firsts[slot] = record
    this.numbers[slot] = number
    if (number < 0 || number >= mostNumbers) return slot
    if (number >= this.#tags.length) this.#grow(number)
    this.#tags[number] = this.#base + slot
    return slot
  }

  #grow(number: number): void {
    const tags = new Float64Array(2 ** Math.ceil(Math.log2(number + 2)))
    tags.set(this.#tags)
    this.#tags = tags
  }
}
