/** A stretch of event time of one key, `[start, end)` in ms UTC. */
export interface Window {
  /** Name of the operator that made it. */
  readonly name: string
  readonly key: string
  readonly start: number
  readonly end: number
  /** Unique among the windows of the operator that made it: `key@start` where the times tell them apart. */
  readonly id: string
  /** True where the windows of one operator are of different lengths. */
  readonly varies?: true
  /** True where it may become one with another, so that its fold needs `merge`. */
  readonly mayMerge?: true
  /** True where its result may be taken back, so that its fold needs to know how. */
  readonly mayBeWithdrawn?: true
  /** Of a pane, a stretch that several overlapping windows share: how long those are, and how far apart they start. It does not fire itself. */
  readonly hops?: Hops
}

/** Windows of `sizeMs` that start every `hopMs`, at its multiples. */
export interface Hops {
  /** Whole ms. */
  readonly sizeMs: number
  /** Whole ms, at most `sizeMs`. */
  readonly hopMs: number
}

/** Where a window object remembers what a fold keeps for it: null until the first value. No name, so that it does not get into what is saved or shown. */
export const foldedAs: unique symbol = Symbol('foldedAs')

/** A value in its window, or in a pane of several. It comes before what its `window` makes of it. */
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
  /** The stretches that its values came in, by time, where windows overlap and share them; otherwise the values came in the window itself. */
  readonly panes?: readonly Window[]
}

/**
 * The result of the `window`, which has fired, holds no longer, and no corrected one takes its place: it has become part of another window, or is open again. It comes before what is made
 * of its values instead.
 */
export interface WindowWithdrawn {
  readonly kind: 'withdrawn'
  readonly window: Window
  /** One more than that of the result. */
  readonly revision: number
}

/** Windows have become one: what was kept for those it was made `from`, which come by time, is kept for the `window` from now on. */
export interface WindowsMerged {
  readonly kind: 'merged'
  readonly window: Window
  readonly from: readonly Window[]
}

/** The allowed lateness of the `window` is over: nothing more comes for it, and what was kept for it may go. */
export interface WindowOver {
  readonly kind: 'over'
  readonly window: Window
}

/**
 * What `tumblingWindow` and the other operators of windows emit: values in their windows, then for each window that it fires and, at last, that it is over.
 * Sessions also say that they have become one, and that a result is taken back.
 */
export type WindowElement<T> = WindowValue<T> | WindowWithdrawn | WindowsMerged | WindowFired | WindowOver

/** `key@start`: digits end it, so no two windows of one operator share it. */
export function windowId(key: string, start: number): string {
  return `${key}@${start}`
}
