/** A stretch of event time of one key, `[start, end)` in ms UTC, aligned to the epoch. */
export interface Window {
  /** Name of the operator that made it. */
  readonly name: string
  readonly key: string
  readonly start: number
  readonly end: number
  /** `key@start`: one string object a window, so that looking it up costs no new text. */
  readonly id: string
}

/** Where a window object remembers what a fold keeps for it: null until the first value. No name, so that it does not get into what is saved or shown. */
export const foldedAs: unique symbol = Symbol('foldedAs')

/** A value in its window. */
export interface WindowValue<T> {
  readonly window: Window
  readonly value: T
  /** True for a preview that must not enter the window's result. */
  readonly isProvisional: boolean
  readonly closed: false
}

/** The window fires: its values so far are its result. */
export interface WindowClosed {
  readonly window: Window
  readonly closed: true
  /** 1 at the first fire, one more with each correction. */
  readonly revision: number
}

/** The window's allowed lateness is over: nothing more comes for it, and what was kept for it may go. */
export interface WindowOver {
  readonly window: Window
  readonly closed: 'over'
}

/** What `tumblingWindow` emits: values in their windows, then for each window that it fires and, at last, that it is over. */
export type WindowElement<T> = WindowValue<T> | WindowClosed | WindowOver

export function windowId(key: string, start: number): string {
  return `${key}@${start}`
}
