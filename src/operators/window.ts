/** A stretch of event time of one key, `[start, end)` in ms UTC, aligned to the epoch. */
export interface Window {
  /** Name of the operator that made it. */
  readonly name: string
  readonly key: string
  readonly start: number
  readonly end: number
  /** `key@start`: unique among the windows of the operator that made it. */
  readonly id: string
}

/** Where a window object remembers what a fold keeps for it: null until the first value. No name, so that it does not get into what is saved or shown. */
export const foldedAs: unique symbol = Symbol('foldedAs')

/** A value in its window. It comes before what its `window` makes of it. */
export interface WindowValue<T> {
  readonly kind: 'value'
  readonly window: Window
  readonly value: T
  /** True for a preview that must not enter the window's result. */
  readonly isProvisional: boolean
}

/** The `window` fires: its values so far are its result. */
export interface WindowFired {
  readonly kind: 'fired'
  readonly window: Window
  /** 1 at the first fire, one more with each correction. */
  readonly revision: number
}

/** The allowed lateness of the `window` is over: nothing more comes for it, and what was kept for it may go. */
export interface WindowOver {
  readonly kind: 'over'
  readonly window: Window
}

/** What `tumblingWindow` emits: values in their windows, then for each window that it fires and, at last, that it is over. */
export type WindowElement<T> = WindowValue<T> | WindowFired | WindowOver

/** `key@start`: digits end it, so no two windows of one operator share it. */
export function windowId(key: string, start: number): string {
  return `${key}@${start}`
}
