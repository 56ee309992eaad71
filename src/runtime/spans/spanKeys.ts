import { KeySlots, SlotsOfTexts } from './keySlots.ts'
import { columnOf, type Lent, textsWith } from './lent.ts'
import type { TextColumn } from './lentColumn.ts'
import type { Span } from './span.ts'
import { SpanColumn } from './spanColumns.ts'

/** The keys of the values of a span, as a callback gives them. Each key has a slot, from 0 in the order in which keys come, so that what is kept for it is looked up once; a key without a number may have several. Where keys lie in a column there may be slots of keys that came to others alone. */
export class SpanKeys<T> extends SpanColumn<T, string> {
  #column: TextColumn | null = null
  /** Those of the column, or of the callback alone. */
  #in: KeySlots = new KeySlots()
  readonly #ofCallback = this.#in
  /** By slot: the key, where keys lie in no column. */
  readonly #own: string[] = []
  /** Where the texts lie that the keys of values one by one are probably among. */
  #likely: TextColumn | null = null
  #isLikelyKnown = false
  #look = 0

  override read(span: Span<T>, count: number): number {
    this.#isLikelyKnown = false
    this.#look = span.look
    this.#ofCallback.begin()
    return super.read(span, count)
  }

  /** By record: the slot of its key. */
  get slots(): Int32Array {
    return this.#in.slots
  }

  /** By slot: the number of the key in the numbering; below 0 for none. */
  get numbers(): Int32Array {
    return this.#in.numbers
  }

  /** How many slots there are. */
  get count(): number {
    return this.#in.count
  }

  /** Says what the numbers of keys are worth: under the same object a number is that of the same key. Null where no key has one. */
  get numbering(): object | null {
    return (this.#column ?? this.#likely)?.numbering ?? null
  }

  /** The key that has the slot. */
  keyAt(slot: number): string {
    return this.#column === null ? (this.#own[slot] as string) : this.#column.at(this.#in.firsts[slot] as number)
  }

  protected useColumn(value: Lent<unknown>): boolean {
    const column = value[columnOf](this.ask)
    this.#column = column?.kind === 'texts' ? column.texts : null
    this.#in = this.#column === null ? this.#ofCallback : SlotsOfTexts.of(this.#column)
    return this.#column !== null
  }

  protected override readColumn(records: Int32Array, count: number): void {
    ;(this.#in as SlotsOfTexts).read(this.#look, records, count)
  }

  protected put(record: number, said: string, value: Lent<unknown>): boolean {
    if (typeof said !== 'string') return false
    if (!this.#isLikelyKnown) {
      this.#isLikelyKnown = true
      this.#likely = value[textsWith](said)
    }
    const likely = this.#likely
    const own = this.#ofCallback
    const number = likely?.ordinals[record] ?? -1
    let slot = own.slotOf(number)
    if (slot < 0) slot = own.count - 1
    if (slot < 0 || this.#own[slot] !== said) {
      slot = own.add(record, likely?.at(record) === said ? number : -1)
      this.#own[slot] = said
    }
    own.slots[record] = slot
    return true
  }
}
