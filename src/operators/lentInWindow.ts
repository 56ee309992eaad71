import { keep, kept, Lent } from '../runtime/lent.ts'
import type { Window, WindowValue } from './window.ts'

/** Puts values into windows: each into an element of its own, those that are lent into one that is lent as well. */
export function lendingInWindow<T>(): (window: Window, value: T) => WindowValue<T> {
  const lent = new LentInWindow<T>()
  return (window, value) => {
    if (value instanceof Lent) return lent.of(window, value)
    return { kind: 'value', window, value, isProvisional: false }
  }
}

class LentInWindow<T> extends Lent<WindowValue<T>> implements WindowValue<T> {
  readonly kind = 'value'
  readonly isProvisional = false
  window!: Window
  value!: T

  of(window: Window, value: T): this {
    this.window = window
    this.value = value
    return this
  }

  override [keep](): WindowValue<T> {
    return { kind: 'value', window: this.window, value: kept(this.value), isProvisional: false }
  }
}
