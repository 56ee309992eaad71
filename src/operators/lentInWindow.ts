import { mostAhead } from '../runtime/log/readAhead.ts'
import { keep, kept, Lent, place } from '../runtime/spans/lent.ts'
import type { Lending } from '../runtime/spans/span.ts'
import type { Window, WindowValue } from './window.ts'

/** Values in their windows: each is an element of its own, and those that are lent are in one that is lent as well. Of values that come many at once each window has a slot, in the order in which windows come; one may have several. */
export class LentInWindow<T> extends Lent<WindowValue<T>> implements WindowValue<T> {
  readonly kind = 'value'
  readonly isProvisional = false
  window!: Window
  value!: T
  /** By record: the slot of its window. */
  readonly slots = new Int32Array(mostAhead)
  /** By slot: the window. */
  readonly windows: Window[] = []
  /** By slot: the number of the window's key, as a hint; below 0 for none. */
  readonly numbers = new Int32Array(mostAhead)
  /** By slot: the first record that is in the window. */
  readonly firsts = new Int32Array(mostAhead)
  /** How many slots there are. */
  count = 0
  #lending: Lending<T> | null = null

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

  /** A slot for the window, with the first record that is in it; `number` of its key. */
  begin(window: Window, number: number, record: number): number {
    const slot = this.count
    this.count += 1
    // What is stored in an old array is told to the collector, so what is there already is not stored again.
    if (this.windows[slot] !== window) this.windows[slot] = window
    this.numbers[slot] = number
    this.firsts[slot] = record
    return slot
  }

  windowOf(record: number): Window {
    return this.windows[this.slots[record] as number] as Window
  }

  override set [place](record: number) {
    this.window = this.windowOf(record)
    if (this.#lending !== null) this.#lending[place] = record
  }

  override [keep](): WindowValue<T> {
    return { kind: 'value', window: this.window, value: kept(this.value), isProvisional: false }
  }
}
