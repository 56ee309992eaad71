import { mostAhead } from '../runtime/log/readAhead.ts'
import { keep, kept, Lent, place } from '../runtime/spans/lent.ts'
import type { Lending } from '../runtime/spans/span.ts'
import type { Window, WindowValue } from './window.ts'
import { WindowPlaces } from './windowPlaces.ts'

/** Values in their windows: each is an element of its own, and those that are lent are in one that is lent as well. */
export class LentInWindow<T> extends Lent<WindowValue<T>> implements WindowValue<T> {
  readonly kind = 'value'
  readonly isProvisional = false
  window!: Window
  value!: T
  /** The windows of the operator. */
  readonly places: WindowPlaces
  /** Of values that come many at once, by record: the place of the window. */
  readonly placeOf = new Int32Array(mostAhead)
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
    return this
  }

  /** Who lends the values that come many at once. */
  get lending(): Lending<T> {
    return this.#lending as Lending<T>
  }

  /** The window of the record. */
  windowOf(record: number): Window {
    return this.places.windows[this.placeOf[record] as number] as Window
  }

  override set [place](record: number) {
    this.window = this.windowOf(record)
    if (this.#lending !== null) this.#lending[place] = record
  }

  override [keep](): WindowValue<T> {
    return { kind: 'value', window: this.window, value: kept(this.value), isProvisional: false }
  }
}
