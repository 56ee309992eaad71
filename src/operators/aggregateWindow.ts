import type { OperatorFunction } from 'rxjs'
import type { StateCodec } from '../runtime/keyedState.ts'
import { plainState } from '../runtime/plainState.ts'
import { type Fired, foldWindows } from './foldWindows.ts'
import type { Window, WindowElement } from './window.ts'

export interface AggregateWindowOptions<T, A, R> {
  /** Unique in a pipeline; `aggregateWindow` if left out. */
  readonly name?: string
  /** A fresh accumulator for a window that has got its first value. */
  readonly initial: () => A
  /** Gives the accumulator with the value in it: a new one, or the same one changed. */
  readonly add: (accumulator: A, value: T, window: Window) => A
  /** The result of a window that fires. */
  readonly result: (accumulator: A, window: Window, fired: Fired) => R
  /** How an accumulator is saved; plain values need none. */
  readonly state?: StateCodec<A>
  /** Emits provisional results at checkpoint cuts, each window at most once in this time (ms). None if left out. */
  readonly provisionalEveryMs?: number
}

/**
 * Folds the values of each window into one result, emitted when the window fires and again with each correction.
 *
 * Keeps one accumulator a window, and lets it go when the window's allowed lateness is over. Accumulators are part of the checkpoint.
 */
export function aggregateWindow<T, A, R>(
  options: AggregateWindowOptions<T, A, R>,
): OperatorFunction<WindowElement<T>, R> {
  const { initial, add, result, state = plainState<A>(), provisionalEveryMs } = options
  return foldWindows<T, A, R>(
    { spec: { name: options.name ?? 'aggregateWindow' }, provisionalEveryMs },
    {
      create: initial,
      add,
      result: (accumulator = initial(), window, fired) => result(accumulator, window, fired),
      state,
    },
  )
}
