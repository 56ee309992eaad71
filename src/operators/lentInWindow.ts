import { mostAhead } from '../runtime/log/readAhead.ts'
import { keep, kept, Lent, place } from '../runtime/spans/lent.ts'
import type { Lending } from '../runtime/spans/span.ts'
import type { Window, WindowValue } from './window.ts'
import { WindowPlaces } from './windowPlaces.ts'

/** Values in their windows: each is an element of its own, and those that are lent are in one that is lent as well. Of values that come many at once each window has a slot, in the order in which windows come; one may have several. */
export class LentInWindow<T> extends Lent<WindowValue<T>> implements WindowValue<T> {
  readonly kind = 'value'
  readonly isProvisional = false
  window!: Window
  value!: T
  /** The windows of the operator. */
  readonly places: WindowPlaces
  /** By record: the slot of its window. */
  readonly slots = new Int32Array(mostAhead)
  /** By slot: the place of the window. */
  readonly placeAt = new Int32Array(mostAhead)
  /** By slot: the first record that is in the window. */
  readonly firsts = new Int32Array(mostAhead)
  /** How many slots there are. */
  count = 0
  #lending: Lending<T> | null = null

  constructor(places = new WindowPlaces()) {
    super()
    this.places = places
  }

  /** The element of a value that comes by itself. */
  inWindow(window: Window, value: T): WindowValue<T> {
    if (!(value instanceof Lent)) return { kind: 'value', window, value, isProvisional: false }
    this.window = window
    this.value = value
    return this
  }

  /** The elements of values that come many at once. */
  over(value: Lending<T>): this {
    this.value = value
    this.#lending = value
    this.count = 0
    return this
  }

  /** Who lends the values that come many at once. */
  get lending(): Lending<T> {
    return this.#lending as Lending<T>
  }

  /** A slot for the window that has the place, with the first record that is in it. */
  begin(place: number, record: number): number {
    const slot = this.count
    this.count += 1
    this.placeAt[slot] = place
    this.firsts[slot] = record
    return slot
  }

  /** The place of the record's window. */
  placeOf(record: number): number {
    return this.placeAt[this.slots[record] as number] as number
  }

  override set [place](record: number) {
    this.window = this.places.windows[this.placeOf(record)] as Window
    if (this.#lending !== null) this.#lending[place] = record
  }

  override [keep](): WindowValue<T> {
    return { kind: 'value', window: this.window, value: kept(this.value), isProvisional: false }
  }
}
