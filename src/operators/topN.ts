import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { OperatorError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { type Withdrawn, withdrawn } from '../runtime/withdrawn.ts'
import { type EarlyResults, earlyRule } from './earlyResults.ts'
import type { Fired } from './fold.ts'
import { foldWindows } from './foldWindows.ts'
import { wholeCount } from './wholeMs.ts'
import type { Window, WindowElement } from './window.ts'

/** How `topN` ranks the values of a window, and what it makes of the best. */
export interface TopNOptions<T, R> {
  /** Unique in a pipeline; `topN` if left out. */
  readonly name?: string
  /** How many values of a window are kept. */
  readonly n: number
  /** The more, the better. */
  readonly of: (value: T) => number | bigint
  /** Decides between values that are equally good: the lesser text is the better. No two values of a window should be equal in both, or the one that came first stands first. */
  readonly tie: (value: T) => string
  /** Results of a window that fires, from its best values, the best first; each goes on by itself. */
  readonly result: (top: readonly T[], window: Window, fired: Fired) => readonly R[]
  /** How a value is saved; plain values need none. */
  readonly state?: StateCodec<T>
  /** Emits provisional results at checkpoint cuts, each window at most once in this time (ms, or text such as `'1s'`). None if left out, nor in a plain RxJS program, which has no cuts. */
  readonly provisionalEveryMs?: Duration
  /** Emits provisional results by the data: each window's after every so many values, or at the next multiples of a time where it has changed. None if left out. */
  readonly early?: EarlyResults
  /** Outside a task: receives values and windows on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

/** The same, where a result may be taken back. */
export interface WithdrawingTopNOptions<T, R> extends TopNOptions<T, R> {
  /**
   * What tells one result of a window from another, such as its rank, or the id of its value: what tells one row of the table from another within the window. A result that a correction leaves no place for
   * is taken back: the stream has `withdrawn(result)` for it, which outlets understand. Needed below a `sessionWindow` with `allowedLatenessMs`.
   */
  readonly withdrawBy: (result: R) => string
}

const rules: OptionRules<TopNOptions<never, never> & { readonly withdrawBy?: (result: never) => string }> = {
  name: optional.text,
  n: needed.number,
  of: needed.callback,
  tie: needed.callback,
  result: needed.callback,
  state: optional.stateCodec,
  early: earlyRule,
  provisionalEveryMs: optional.duration,
  withdrawBy: optional.callback,
  onReject: optional.anyFunction,
}

/**
 * The best `n` values of each window, by `of` and then by `tie`, emitted when the window fires and again with each correction.
 *
 * A window with fewer values has fewer results. A correction gives all of the window's results again; one that it no longer has, such as that of a value which has fallen behind, stays where it went unless
 * `withdrawBy` says what tells one from another: then it is withdrawn. Provisional results are never taken back, because the table's row of a rank is overwritten by the next; key the table by rank where there are any.
 *
 * The order is total, so equal values do not change places in a replay. Keeps at most `n` values a window, until its allowed lateness is over; they are part of the checkpoint, so
 * a crash changes no rank. A task sees the keys of its partition only: for the best of all, rank each partition, send these on under one key by `toTopic`, and rank again.
 *
 * ```ts
 * orders.pipe(
 *   tumblingWindow({ name: '1h', sizeMs: '1h', by: ({ shop }) => shop }),
 *   topN({
 *     n: 10,
 *     of: ({ amount }) => amount,
 *     tie: ({ id }) => id,
 *     result: (top, { key, start }) => top.map(({ id, amount }, i) => ({ shop: key, hour: start, rank: i + 1, id, amount })),
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range, and at the first value of windows that need `withdrawBy` where it is not given
 */
export function topN<T, R>(options: WithdrawingTopNOptions<T, R>): OperatorFunction<WindowElement<T>, R | Withdrawn<R>>
export function topN<T, R>(
  options: TopNOptions<T, R> & { readonly withdrawBy?: never },
): OperatorFunction<WindowElement<T>, R>
export function topN<T, R>(
  options: TopNOptions<T, R> & { readonly withdrawBy?: (result: R) => string },
): OperatorFunction<WindowElement<T>, R | Withdrawn<R>> {
  checkOptions('topN', options, rules)
  const { name = 'topN', of, tie, result, state = plainState<T>() } = options
  const { provisionalEveryMs, early, onReject, withdrawBy } = options
  const n = wholeCount(options.n, `${name}: n`)
  const resultsOf = (top: Top<T>, window: Window, fired: Fired) => {
    const best = top.map(({ value }) => value)
    const results = result(best, window, fired)
    refusePromise(`${name}: result`, results)
    if (Array.isArray(results)) return results as readonly R[]
    throw new OperatorError(`${name}: result must give an array of results, got ${typeof results}`)
  }
  return foldWindows<T, Top<T>, R | Withdrawn<R>>(
    { name, shape: { n }, provisionalEveryMs, early, onReject },
    {
      create: () => [],
      add: (top, value) => withRanked(top, rankedBy(of, tie, value), n),
      merge: (earlier, later) => later.reduce((top, one) => withRanked(top, one, n), earlier),
      results: (top = [], window, fired) => resultsOf(top, window, fired),
      withdraw: withdrawBy && ((top, window, fired) => resultsOf(top, window, fired).map(withdrawn)),
      vanished:
        withdrawBy &&
        ((before, now, fired) => {
          const left = new Set(resultsOf(now.accumulator, now.window, fired).map(withdrawBy))
          return resultsOf(before.accumulator, before.window, fired)
            .filter((one) => !left.has(withdrawBy(one)))
            .map(withdrawn)
        }),
      state: {
        encode: (top) => top.map(({ value }) => state.encode(value)),
        decode: (saved) => (saved as readonly Json[]).map((one) => rankedBy(of, tie, state.decode(one))),
      },
    },
  )
}

type Top<T> = readonly Ranked<T>[]

interface Ranked<T> {
  readonly value: T
  readonly rank: number | bigint
  readonly tie: string
}

function rankedBy<T>(of: TopNOptions<T, never>['of'], tie: TopNOptions<T, never>['tie'], value: T): Ranked<T> {
  const rank = of(value)
  if (typeof rank !== 'bigint' && (typeof rank !== 'number' || Number.isNaN(rank)))
    throw new TypeError(`of must give a number or a bigint, got ${String(rank)}`)
  const text = tie(value)
  if (typeof text !== 'string') throw new TypeError(`tie must give a text, got ${String(text)}`)
  return { value, rank, tie: text }
}

function withRanked<T>(top: Top<T>, one: Ranked<T>, n: number): Top<T> {
  let at = top.length
  while (at > 0 && isBetter(one, top[at - 1] as Ranked<T>)) at -= 1
  return at >= n ? top : [...top.slice(0, at), one, ...top.slice(at, n - 1)]
}

function isBetter<T>(a: Ranked<T>, b: Ranked<T>): boolean {
  return a.rank > b.rank || (a.rank === b.rank && a.tie < b.tie)
}
