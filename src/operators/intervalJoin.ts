import type { Observable, OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { Arrivals } from './arrivals.ts'
import { bothSides, type Sided } from './bothSides.ts'
import { JoinSide } from './joinSide.ts'
import { keyOf } from './keyOf.ts'
import { timelyAt } from './timelyAt.ts'
import { wholeMs } from './wholeMs.ts'

/** Which values of two streams `intervalJoin` brings together, and how long it waits. */
export interface IntervalJoinOptions<L, R> {
  /** Unique in a pipeline. */
  readonly name: string
  /** Values of equal keys are joined. */
  readonly by: { readonly left: (value: L) => string; readonly right: (value: R) => string }
  /** The right value's time less the left one's is at least this: ms, or text such as `'-5s'`. Included. */
  readonly fromMs: Duration
  /** And at most this: ms, or text such as `'15m'`. Included. */
  readonly toMs: Duration
  /** How values are saved; plain values need none. */
  readonly state?: { readonly left?: StateCodec<L>; readonly right?: StateCodec<R> }
  /** Outside a task: receives late values, and values on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

/** How `intervalJoin` gives pairs only. */
export interface InnerIntervalJoin<L, R, O> extends IntervalJoinOptions<L, R> {
  /** `inner` if left out. */
  readonly how?: 'inner'
  /** The result of a pair; null for none. */
  readonly with: (left: L, right: R) => O | null
}

/** How `intervalJoin` gives pairs, and each left value that had no partner. */
export interface LeftIntervalJoin<L, R, O> extends IntervalJoinOptions<L, R> {
  /** Says that it is this one. */
  readonly how: 'left'
  /** The result of a pair, or of a left value without a partner; null for none. */
  readonly with: (left: L, right: R | null) => O | null
}

/** How `intervalJoin` gives pairs, and each value of either side that had no partner. */
export interface OuterIntervalJoin<L, R, O> extends IntervalJoinOptions<L, R> {
  /** Says that it is this one. */
  readonly how: 'outer'
  /** The result of a pair, or of a value without a partner, the other being null; null for none. */
  readonly with: (left: L | null, right: R | null) => O | null
}

const rules: OptionRules<InnerIntervalJoin<never, never, never>> = {
  name: needed.text,
  by: needed.object({ left: needed.callback, right: needed.callback }),
  fromMs: needed.duration,
  toMs: needed.duration,
  how: optional.oneOf('inner', 'left', 'outer'),
  with: needed.callback,
  state: optional.object({ left: optional.stateCodec, right: optional.stateCodec }),
  onReject: optional.anyFunction,
}

/**
 * Joins the values of two streams that have the same key and are near in time: each pair with `fromMs <= right - left <= toMs` once, as soon as both are there, at the later one's time.
 *
 * With `how: 'left'` a left value that had no partner is told once, when none can come any more: at `left + max(toMs, 0)`; with `'outer'` a right one as well, at `right + max(-fromMs, 0)`. Never is a value told without a
 * partner and then with one. Results of one move of time come by time, then by key, left before right.
 * Keeps a left value until the watermark comes to `left + max(toMs, 0)` and a right one until `right + max(-fromMs, 0)`, also those whose key never comes again. They are part of the checkpoint, so a crash
 * neither loses a pair nor makes one twice. Equal values count as often as they come. A value at or below the watermark is set aside as `late`, one without a
 * whole-number time as `no-event-time`. A side that is silent holds back what had no partner, and what is kept: `idleAfterMs` of its input lets time go on.
 *
 * ```ts
 * orders.pipe(
 *   intervalJoin(payments, {
 *     name: 'paid',
 *     by: { left: ({ id }) => id, right: ({ orderId }) => orderId },
 *     fromMs: 0,
 *     toMs: '15m',
 *     with: ({ id }, { amount }) => ({ id, amount }),
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above one of them
 */
export function intervalJoin<L, R, O>(right: Observable<R>, options: InnerIntervalJoin<L, R, O>): OperatorFunction<L, O>
export function intervalJoin<L, R, O>(right: Observable<R>, options: LeftIntervalJoin<L, R, O>): OperatorFunction<L, O>
export function intervalJoin<L, R, O>(right: Observable<R>, options: OuterIntervalJoin<L, R, O>): OperatorFunction<L, O>
export function intervalJoin<L, R, O>(
  right: Observable<R>,
  options: InnerIntervalJoin<L, R, O> | LeftIntervalJoin<L, R, O> | OuterIntervalJoin<L, R, O>,
): OperatorFunction<L, O> {
  checkArgument('intervalJoin', 'its first argument, the other stream,', right, needed.stream)
  checkOptions('intervalJoin', options, rules)
  const { name, by, how = 'inner', state = {}, onReject } = options
  // Only a join that says so is asked about a value without a partner.
  const made = options.with as (left: L | null, right: R | null) => O | null
  const what = `intervalJoin '${name}'`
  const fromMs = wholeMs(options.fromMs, `${what}: fromMs`)
  const toMs = wholeMs(options.toMs, `${what}: toMs`)
  if (fromMs > toMs) {
    throw new ConfigurationError(
      `${what}: fromMs must be at most toMs, got ${options.fromMs} and ${options.toMs}. Both are the right value's time less the left one's.`,
    )
  }
  const tellsLeft = how !== 'inner'
  const tellsRight = how === 'outer'
  const join = stateful<Sided<L, R>, O>({ name, shape: { fromMs, toMs, how }, onReject }, (restored, out) => {
    const arrivals = new Arrivals(restored.snapshot)
    const lefts = new JoinSide<L>(restored, 'left', state.left ?? plainState<L>(), Math.max(toMs, 0), arrivals)
    const rights = new JoinSide<R>(restored, 'right', state.right ?? plainState<R>(), Math.max(-fromMs, 0), arrivals)

    function combine(left: L | null, right: R | null): O | null {
      const result = made(left, right)
      refusePromise(`${name}: with`, result)
      return result
    }

    function takeLeft(value: L, at: number): void {
      const key = keyOf(by.left, value, name)
      const partners = rights.between(key, at + fromMs, at + toMs)
      // All results first: where one cannot be made, the value is as if it had not come.
      const results = partners.map((partner) => combine(value, partner.value))
      lefts.add(key, at, value, partners.length > 0)
      partners.forEach((partner, i) => {
        if (tellsRight) rights.match(partner)
        tell(Math.max(at, partner.at), results[i] as O | null)
      })
    }

    function takeRight(value: R, at: number): void {
      const key = keyOf(by.right, value, name)
      const partners = lefts.between(key, at - toMs, at - fromMs)
      const results = partners.map((partner) => combine(partner.value, value))
      rights.add(key, at, value, partners.length > 0)
      partners.forEach((partner, i) => {
        if (tellsLeft) lefts.match(partner)
        tell(Math.max(at, partner.at), results[i] as O | null)
      })
    }

    function tell(at: number, result: O | null): void {
      if (result !== null) out.emitAt(at, result)
    }

    /** Lets go of what is kept until this time, and tells what had no partner, by key, left before right. */
    function tellAlone(at: number): void {
      const left = lefts.takeDue(at).filter(({ isMatched }) => tellsLeft && !isMatched)
      const right = rights.takeDue(at).filter(({ isMatched }) => tellsRight && !isMatched)
      const alone = [
        ...left.map(({ key, value }) => ({ key, make: () => combine(value, null) })),
        ...right.map(({ key, value }) => ({ key, make: () => combine(null, value) })),
      ]
      if (left.length > 0 && right.length > 0) alone.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      for (const { make } of alone) out.attempt(null, () => tell(at, make()))
    }

    const nextDue = () => Math.min(lefts.nextDue, rights.nextDue)

    out.wakeAt(nextDue())
    return {
      onValue(one) {
        const at = timelyAt(out, name, one.value)
        if (at === null) return
        if (one.side === 'left') takeLeft(one.value, at)
        else takeRight(one.value, at)
        out.wakeAt(nextDue())
      },
      onWatermark(watermark) {
        for (let time = nextDue(); time <= watermark; time = nextDue()) {
          tellAlone(time)
        }
        out.wakeAt(nextDue())
      },
      snapshot: () => arrivals.snapshot(),
      openUntil: () => {
        const left = tellsLeft ? lefts.lastDue(({ isMatched }) => !isMatched) : undefined
        const right = tellsRight ? rights.lastDue(({ isMatched }) => !isMatched) : undefined
        return left === undefined || right === undefined ? (left ?? right) : Math.max(left, right)
      },
    }
  })
  return (left) => join(bothSides(left, right))
}
