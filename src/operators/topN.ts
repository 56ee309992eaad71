import { mergeMap, type OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { OperatorError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { StateCodec } from '../runtime/keyedState.ts'
import type { OperatorSpec } from '../runtime/operator.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { plainState } from '../runtime/plainState.ts'
import { type Fired, foldWindows } from './foldWindows.ts'
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
  /** Emits provisional results at checkpoint cuts, each window at most once in this time (ms, or text such as `'1s'`). None if left out. */
  readonly provisionalEveryMs?: Duration
  /** Outside a task: receives values and windows on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<TopNOptions<never, never>> = {
  name: optional.text,
  n: needed.number,
  of: needed.callback,
  tie: needed.callback,
  result: needed.callback,
  state: optional.stateCodec,
  provisionalEveryMs: optional.duration,
  onReject: optional.anyFunction,
}

/**
 * The best `n` values of each window, by `of` and then by `tie`, emitted when the window fires and again with each correction.
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
 * @throws ConfigurationError on options out of range
 */
export function topN<T, R>(options: TopNOptions<T, R>): OperatorFunction<WindowElement<T>, R> {
  checkOptions('topN', options, rules)
  const { name = 'topN', of, tie, result, state = plainState<T>(), provisionalEveryMs, onReject } = options
  const n = wholeCount(options.n, `${name}: n`)
  const ranked = foldWindows<T, readonly Ranked<T>[], readonly R[]>(
    { name, shape: { n }, provisionalEveryMs, onReject },
    {
      create: () => [],
      add: (top, value) => withRanked(top, rankedBy(of, tie, value), n),
      merge: (earlier, later) => later.reduce((top, one) => withRanked(top, one, n), earlier),
      result: (top = [], window, fired) => {
        const best = top.map(({ value }) => value)
        const results = result(best, window, fired)
        refusePromise(`${name}: result`, results)
        if (Array.isArray(results)) return results
        throw new OperatorError(`${name}: result must give an array of results, got ${typeof results}`)
      },
      state: {
        encode: (top) => top.map(({ value }) => state.encode(value)),
        decode: (saved) => (saved as readonly Json[]).map((one) => rankedBy(of, tie, state.decode(one))),
      },
    },
  )
  return (elements) =>
    elements.pipe(
      ranked,
      mergeMap((results) => results),
    )
}

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

function withRanked<T>(top: readonly Ranked<T>[], one: Ranked<T>, n: number): readonly Ranked<T>[] {
  let at = top.length
  while (at > 0 && isBetter(one, top[at - 1] as Ranked<T>)) at -= 1
  return at >= n ? top : [...top.slice(0, at), one, ...top.slice(at, n - 1)]
}

function isBetter<T>(a: Ranked<T>, b: Ranked<T>): boolean {
  return a.rank > b.rank || (a.rank === b.rank && a.tie < b.tie)
}
