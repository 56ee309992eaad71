import { mostAhead } from '../log/readAhead.ts'
import { mostNumbers } from './lent.ts'
import type { TextColumn } from './lentColumn.ts'

/** Above this, tags begin again. */
const mostBase = 2 ** 31 - 2 * mostAhead

/** The slots of keys in one look, found by the numbers of keys. */
export class KeySlots {
  /** By record: the slot of its key. */
  readonly slots = new Int32Array(mostAhead)
  /** By slot: the number of the key; below 0 for none. */
  readonly numbers = new Int32Array(mostAhead)
  /** By slot: the first record of the key. */
  readonly firsts = new Int32Array(mostAhead)
  /** How many slots there are. */
  count = 0
  /** Grows by so much with each look that a tag says of which one it is. */
  #base = 0
  /** By number: its slot, above the base of the look in which it has that. */
  #tags = new Int32Array(0)

  /** Begins a look, in which no key has a slot. */
  begin(): void {
    this.count = 0
    if (this.#base > mostBase) this.forget()
    this.#base += mostAhead
  }

  /** Below 0 for a number that has none yet. */
  slotOf(number: number): number {
    return number >= 0 && number < this.#tags.length ? (this.#tags[number] as number) - this.#base : -1
  }

  /** Gives the key of the record a slot. */
  add(record: number, number: number): number {
    const slot = this.count
    this.count += 1
    this.firsts[slot] = record
    this.numbers[slot] = number
    if (number < 0 || number >= mostNumbers) return slot
    if (number >= this.#tags.length) this.#grow(number)
    this.#tags[number] = this.#base + slot
    return slot
  }

  protected get base(): number {
    return this.#base
  }

  protected forget(): void {
    this.#tags.fill(0)
    this.#base = 0
  }

  #grow(number: number): void {
    const tags = new Int32Array(2 ** Math.ceil(Math.log2(number + 2)))
    tags.set(this.#tags)
    this.#tags = tags
  }
}

const known = new WeakMap<TextColumn, SlotsOfTexts>()

/** The slots of keys that lie in a column. Whoever reads them in one look has them in common, so that a number is looked up once and not by each operator. */
export class SlotsOfTexts extends KeySlots {
  readonly #texts: TextColumn
  #look = -1
  /** By record: the base of the look in which it got its slot. */
  readonly #readIn = new Int32Array(mostAhead)

  private constructor(texts: TextColumn) {
    super()
    this.#texts = texts
  }

  static of(texts: TextColumn): SlotsOfTexts {
    const made = known.get(texts) ?? new SlotsOfTexts(texts)
    known.set(texts, made)
    return made
  }

  /** Gives the keys of so many first records slots, unless they have got them in this look. */
  read(look: number, records: Int32Array, count: number): void {
    if (look !== this.#look) {
      this.#look = look
      this.begin()
    }
    const { slots, base } = this
    const { ordinals } = this.#texts
    const readIn = this.#readIn
    for (let i = 0; i < count; i += 1) {
      const record = records[i] as number
      if (readIn[record] === base) continue
      readIn[record] = base
      const number = ordinals[record] as number
      const slot = this.slotOf(number)
      slots[record] = slot >= 0 ? slot : this.add(record, number)
    }
  }

  protected override forget(): void {
    super.forget()
    this.#readIn.fill(0)
  }
}
