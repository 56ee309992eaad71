import type { Lending } from '../runtime/spans/span.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import type { Window } from './window.ts'

/** How a result came about. */
export interface Fired {
  /** False for a provisional result, of the values so far. */
  readonly isClosed: boolean
  /** 0 while provisional, 1 at the first fire, one more with each correction; of one that is taken back one more than it had. */
  readonly revision: number
}

/** A window, and what its values came to. */
export interface Folded<A> {
  readonly window: Window
  readonly accumulator: A
}

/** Values of a span, each for a row: those of the records `records[from]` up to, not including, `records[to]`. */
export interface ValuesInRows {
  readonly records: Int32Array
  /** By the place of the record in `records`. */
  readonly rows: Int32Array
  readonly from: number
  readonly to: number
}

/** Accumulators that lie side by side, each in a row of its own as long as it is kept, and are changed there in place. */
export interface FoldRows<T, A> {
  rowOf(accumulator: A): number
  /** Adds many values at once, which the lender lends. Gives how far it has come: `to`, or the first that `add` has to be asked about. */
  add(lender: Lending<T>, values: ValuesInRows): number
  /** The accumulator is no longer kept: another one may have its row. */
  release(accumulator: A): void
}

/** What to compute over a window. */
export interface Fold<T, A, R> {
  create(first: T): A
  /** True where neither `create` nor `add` keeps anything of the value but what they read of it. */
  readonly takesLent?: true
  /** The accumulator with the value in it, the first value included: a new one, or the same one changed. */
  add(accumulator: A, value: T, window: Window): A
  /** Of accumulators that lie side by side. */
  readonly rows?: FoldRows<T, A>
  /** One accumulator of two, the earlier one first; must change neither. Needed for windows that share values and for those that become one. */
  merge?: ((earlier: A, later: A) => A) | undefined
  /** Must not hand out the accumulator itself. `previews` are provisional values that did not enter it. */
  results(accumulator: A | undefined, window: Window, fired: Fired, previews: readonly T[]): readonly R[]
  /** What takes the results of a window back that is no longer there, or is open again. Needed below windows that may be. */
  withdraw?: ((accumulator: A, window: Window, fired: Fired) => readonly R[]) | undefined
  /** What takes back those results that a window had before a correction and has no longer. Its accumulators must not be changed in place. */
  vanished?: ((before: Folded<A>, now: Folded<A>, fired: Fired) => readonly R[]) | undefined
  /** Whether a preview and a later preview or value stand for the same thing, so that the later one takes its place. */
  isSame?(preview: T, later: T): boolean
  readonly state: StateCodec<A>
}
