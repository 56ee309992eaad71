import { keep, kept, Lent, numbersOf, place } from '../runtime/lent.ts'
import type { Lending } from '../runtime/span.ts'
import type { Window, WindowValue } from './window.ts'

/** Values in their windows: each is an element of its own, and those that are lent are in one that is lent as well. */
export class LentInWindow<T> extends Lent<WindowValue<T>> implements WindowValue<T> {
  readonly kind = 'value'
  readonly isProvisional = false
  window!: Window
  value!: T
  /** By record, where values come many at once. */
  readonly #windows: Window[] = []
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
    return this
  }

  /** The value of the record is in this window. */
  put(record: number, window: Window): void {
    this.#windows[record] = window
  }

  windowOf(record: number): Window {
    return this.#windows[record] as Window
  }

  override set [place](record: number) {
    this.window = this.#windows[record] as Window
    if (this.#lending !== null) this.#lending[place] = record
  }

  override [numbersOf](text: string): Int32Array | null {
    return this.#lending?.[numbersOf](text) ?? null
  }

  override [keep](): WindowValue<T> {
    return { kind: 'value', window: this.window, value: kept(this.value), isProvisional: false }
  }
}
