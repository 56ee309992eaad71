import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import type { Json } from '../runtime/json.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { type Withdrawn, withdrawn } from '../runtime/withdrawn.ts'
import { type EarlyResults, earlyRule } from './earlyResults.ts'
import type { Fired } from './fold.ts'
import { foldWindows } from './foldWindows.ts'
import { type Shape, shapeOf } from './shapeOf.ts'
import type { Window, WindowElement } from './window.ts'

/** What `aggregateWindow` makes of the values of a window, and how it saves it. */
export interface AggregateWindowOptions<T, A, R> {
  /** Unique in a pipeline; `aggregateWindow` if left out. */
  readonly name?: string
  /** A fresh accumulator for a window that has got its first value. */
  readonly initial: () => A
  /** Gives the accumulator with the value in it: a new one, or the same one changed. Where it throws, what it has changed until then stays. */
  readonly add: (accumulator: A, value: T, window: Window) => A
  /** One accumulator of two, that of the earlier values first; must change neither. Needed below `hoppingWindow` and `sessionWindow`. Where it throws on sessions that become one, the task ends, with nothing lost. */
  readonly merge?: (earlier: A, later: A) => A
  /** The result of a window that fires. */
  readonly result: (accumulator: A, window: Window, fired: Fired) => R
  /** How an accumulator is saved; plain values need none. */
  readonly state?: StateCodec<A>
  /** Raise it when accumulators change their meaning; 1 if left out. A change of their shape is noticed without it. */
  readonly version?: number
  /**
   * Turns an accumulator as an older version had saved it (what `state.encode` or plain values made) into what this one saves. Without it a checkpoint with
   * accumulators of another version or shape is refused, and one of a newer version always.
   */
  migrate?(saved: Json, version: number): Json
  /** Emits provisional results at checkpoint cuts, each window at most once in this time (ms, or text such as `'1s'`). None if left out, nor in a plain RxJS program, which has no cuts. */
  readonly provisionalEveryMs?: Duration
  /** Emits provisional results by the data: each window's after every so many values, or at the next multiples of a time where it has changed. None if left out. */
  readonly early?: EarlyResults
  /** Outside a task: receives values and windows on which a callback throws, instead of ending the stream. */
  readonly onReject?: OperatorSpec['onReject']
}

/** The same, where a result may be taken back. */
export interface WithdrawingAggregateOptions<T, A, R> extends AggregateWindowOptions<T, A, R> {
  /**
   * Results may be taken back: where a late value makes two sessions one, the stream has `withdrawn(result)` for the one whose key goes, which outlets understand. Needed below a `sessionWindow` with `allowedLatenessMs`. With
   * provisional results it also takes back those of sessions that have become part of an earlier one.
   */
  readonly withdraws: true
}

const rules: OptionRules<AggregateWindowOptions<never, never, never> & { readonly withdraws?: true }> = {
  name: optional.text,
  initial: needed.callback,
  add: needed.callback,
  merge: optional.callback,
  result: needed.callback,
  state: optional.stateCodec,
  version: optional.number,
  migrate: optional.callback,
  early: earlyRule,
  provisionalEveryMs: optional.duration,
  withdraws: optional.flag,
  onReject: optional.anyFunction,
}

/**
 * Folds the values of each window into one result, emitted when the window fires and again with each correction.
 *
 * Keeps one accumulator a window, and lets it go when the window's allowed lateness is over. Accumulators are part of the checkpoint, which also says what
 * `initial` made: where that has another shape now (of arrays and null only that they are such), or `version` is another, the start stops with
 * `StateMismatchError` unless `migrate` turns the saved accumulators into the present ones.
 * So a crash neither loses a value nor counts one twice.
 *
 * Provisional results (`early`, `provisionalEveryMs`) are for outlets: windows, joins and other operators with a state refuse them, and so they do what is withdrawn.
 * @throws ConfigurationError on options out of range, and below windows that need `merge` where it is not given: when the pipeline is built, or, where streams of windows are put together by `merge` of RxJS, at their first value;
 * below windows that need `withdraws` at their first value
 */
export function aggregateWindow<T, A, R>(
  options: WithdrawingAggregateOptions<T, A, R>,
): OperatorFunction<WindowElement<T>, R | Withdrawn<R>>
export function aggregateWindow<T, A, R>(
  options: AggregateWindowOptions<T, A, R> & { readonly withdraws?: never },
): OperatorFunction<WindowElement<T>, R>
export function aggregateWindow<T, A, R>(
  options: AggregateWindowOptions<T, A, R> & { readonly withdraws?: true },
): OperatorFunction<WindowElement<T>, R | Withdrawn<R>> {
  checkOptions('aggregateWindow', options, rules)
  const { name = 'aggregateWindow', initial, add, merge, result, state = plainState<A>(), version = 1 } = options
  const { provisionalEveryMs, early, onReject, withdraws } = options
  const first = initial()
  refusePromise(`${name}: initial`, first)
  const shape = { accumulator: shapeOf(first), version }
  const resultOf = (accumulator: A, window: Window, fired: Fired) => {
    const made = result(accumulator, window, fired)
    refusePromise(`${name}: result`, made)
    // The accumulator itself goes on changing, and the result must not.
    return isObject(made) && (made as unknown) === accumulator
      ? (state.decode(state.encode(accumulator)) as unknown as R)
      : made
  }
  return foldWindows<T, A, R | Withdrawn<R>>(
    { name, shape, migrate: accumulators(shape.accumulator, options), provisionalEveryMs, early, onReject },
    {
      create: initial,
      add: (accumulator, value, window) => {
        const sum = add(accumulator, value, window)
        refusePromise(`${name}: add`, sum)
        return sum
      },
      merge:
        merge &&
        ((earlier, later) => {
          const sum = merge(earlier, later)
          refusePromise(`${name}: merge`, sum)
          return sum
        }),
      results: (accumulator = initial(), window, fired) => [resultOf(accumulator, window, fired)],
      withdraw: withdraws && ((accumulator, window, fired) => [withdrawn(resultOf(accumulator, window, fired))]),
      state,
    },
  )
}

/** 0.1.0 said nothing about accumulators; what it saved is taken as version 1, unless it plainly is something else. */
function accumulators<T, A, R>(shape: Shape, options: AggregateWindowOptions<T, A, R>) {
  return (saved: Json, savedShape: Json): Json | undefined => {
    const { version: savedVersion = 1 } = (savedShape ?? {}) as { readonly version?: number }
    if (savedVersion > (options.version ?? 1)) return undefined
    if (options.migrate !== undefined) return options.migrate(saved, savedVersion)
    const isUnknown = savedShape === null && (options.version ?? 1) === 1
    if (!isUnknown) return undefined
    const isPlain = options.state === undefined
    const found = shapeOf(isPlain ? plainState().decode(saved) : undefined)
    return !isPlain || shape === 'null' || kindOf(found) === kindOf(shape) ? saved : undefined
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function kindOf(shape: Shape): string {
  return typeof shape === 'string' ? shape : 'object'
}
