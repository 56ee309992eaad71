import type { Observable, OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { Arrivals } from './arrivals.ts'
import { bothSides, type Sided } from './bothSides.ts'
import { HeldInOrder } from './heldInOrder.ts'
import { keyOf } from './keyOf.ts'
import { timelyAt } from './timelyAt.ts'
import { Versions } from './versions.ts'
import { wholeMs } from './wholeMs.ts'

/** Which value of another stream `asOfJoin` finds for each of this one, and what it makes of both. */
export interface AsOfJoinOptions<L, R, O> {
  /** Unique in a pipeline. */
  readonly name: string
  /** A left value finds right values of an equal key. */
  readonly by: { readonly left: (value: L) => string; readonly right: (value: R) => string }
  /** How long a right value holds at most: ms, or text such as `'1m'`. One that is exactly so old still does. */
  readonly keepMs: Duration
  /** True for a right value that ends the one before it without being one itself, as a deletion does. None if left out. */
  readonly isEnd?: (value: R) => boolean
  /** The result of a left value and the right one that held at its time, or null where none did; null for no result. */
  readonly with: (left: L, right: R | null) => O | null
  /** How values are saved; plain values need none. */
  readonly state?: { readonly left?: StateCodec<L>; readonly right?: StateCodec<R> }
  /** Outside a task: receives late values, and values on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<AsOfJoinOptions<never, never, never>> = {
  name: needed.text,
  by: needed.object({ left: needed.callback, right: needed.callback }),
  keepMs: needed.duration,
  isEnd: optional.callback,
  with: needed.callback,
  state: optional.object({ left: optional.stateCodec, right: optional.stateCodec }),
  onReject: optional.anyFunction,
}

/**
 * Joins each left value with the right one of its key that held at its time: the newest with `right <= left`, at most `keepMs` old; of equal times the last that came.
 *
 * A left value waits until the watermark has come to its time, so that the answer does not depend on which of both came first; then they go in the order of their time, at their time.
 * The price is latency: both streams' bound of out-of-orderness. Who wants a row as it stands now takes `toTable` and `enrich`.
 * Keeps the left values above the watermark, each with a copy of its record, and of each key the right ones above it and the newest at or below it while one to come may find it: also where the key never comes
 * again. They are part of the checkpoint, so a crash changes no answer. A value of either side at or below the watermark is set aside as `late`, one without a
 * whole-number time as `no-event-time`. Where the right side is silent, left values wait: give its input `idleAfterMs`, or heartbeats.
 *
 * ```ts
 * orders.pipe(
 *   asOfJoin(quotes, {
 *     name: 'quote',
 *     by: { left: ({ symbol }) => symbol, right: ({ symbol }) => symbol },
 *     keepMs: '1m',
 *     with: (order, quote) => ({ id: order.id, ask: quote === null ? null : quote.ask }),
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above one of them
 */
export function asOfJoin<L, R, O>(right: Observable<R>, options: AsOfJoinOptions<L, R, O>): OperatorFunction<L, O> {
  checkArgument('asOfJoin', 'its first argument, the other stream,', right, needed.stream)
  checkOptions('asOfJoin', options, rules)
  const { name, by, isEnd = () => false, with: combine, state = {}, onReject } = options
  const keepMs = wholeMs(options.keepMs, `asOfJoin '${name}': keepMs`, 0)
  const join = stateful<Sided<L, R>, O>({ name, shape: { keepMs }, onReject }, (restored, out) => {
    const arrivals = new Arrivals(restored.snapshot)
    const waiting = new HeldInOrder<L>(state.left ?? plainState<L>(), restored, arrivals)
    const versions = new Versions<R>(restored, state.right ?? plainState<R>(), keepMs, arrivals)
    const nextDue = () => Math.min(waiting.nextDue, versions.nextDue)

    function answer(value: L, at: number): void {
      const result = combine(value, versions.asOf(keyOf(by.left, value, name), at))
      refusePromise(`${name}: with`, result)
      if (result !== null) out.emitAt(at, result)
    }

    function takeRight(value: R, at: number): void {
      const isOver = isEnd(value)
      refusePromise(`${name}: isEnd`, isOver)
      versions.add(keyOf(by.right, value, name), at, value, isOver)
    }

    out.wakeAt(nextDue())
    return {
      onValue(one) {
        const at = timelyAt(out, name, one.value)
        if (at === null) return
        if (one.side === 'left') waiting.hold({ value: one.value, at, origin: out.origin() })
        else takeRight(one.value, at)
        out.wakeAt(nextDue())
      },
      onWatermark(watermark) {
        while (waiting.nextDue <= watermark) {
          for (const { value, at, origin } of waiting.take(watermark)) out.attempt(origin, () => answer(value, at))
        }
        versions.forget(watermark)
        out.wakeAt(nextDue())
      },
      snapshot: () => arrivals.snapshot(),
      openUntil: () => waiting.last,
    }
  })
  return (left) => join(bothSides(left, right))
}
