import type { MonoTypeOperatorFunction } from 'rxjs'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { Arrivals } from './arrivals.ts'
import { HeldInOrder } from './heldInOrder.ts'
import { timelyAt } from './timelyAt.ts'

/** Where `inOrder` finds the time of a value, and how it saves the values that it holds back. */
export interface InOrderOptions<T> {
  /** Unique in a pipeline; `inOrder` if left out. */
  readonly name?: string
  /** Event time of a value, ms UTC; that of the `eventTime` above if left out. */
  readonly of?: (value: T) => number
  /** How held values are saved; plain values need none. */
  readonly state?: StateCodec<T>
  /** Outside a task: receives late values. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<InOrderOptions<never>> = {
  name: optional.text,
  of: optional.callback,
  state: optional.stateCodec,
  onReject: optional.anyFunction,
}

/**
 * Lets values go in the order of their event time, those of one time in the order in which they came: each when the watermark has come to its time.
 *
 * Holds the values above the watermark, hence those of the time by which the stream may be out of order, each with a copy of its record. They are part of the checkpoint, so
 * a crash loses none and changes no order. A value at or below the watermark is set aside as `late`, one without a whole-number time as `no-event-time`. A record
 * that was set aside further below and is redriven goes on at once.
 *
 * ```ts
 * clicks.pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '2s' }), inOrder())
 * ```
 * @throws ConfigurationError on an empty name; OperatorError where no `eventTime` stands above
 */
export function inOrder<T>(options: InOrderOptions<T> = {}): MonoTypeOperatorFunction<T> {
  checkOptions('inOrder', options, rules)
  const { name = 'inOrder', of, state = plainState<T>(), onReject } = options
  return stateful<T, T>({ name, passesRedriven: true, onReject }, (restored, out) => {
    const arrivals = new Arrivals(restored.snapshot)
    const held = new HeldInOrder(state, restored, arrivals)
    out.wakeAt(held.nextDue)
    return {
      onValue(value) {
        if (out.isRedriven) return out.emit(value)
        const at = timelyAt(out, name, value, of)
        if (at === null) return
        held.hold({ value, at, origin: out.origin() })
        out.wakeAt(at)
      },
      onWatermark(watermark) {
        while (held.nextDue <= watermark) {
          for (const { value, at, origin } of held.take(watermark)) out.attempt(origin, () => out.emitAt(at, value))
        }
        out.wakeAt(held.nextDue)
      },
      snapshot: () => arrivals.snapshot(),
      openUntil: () => held.last,
    }
  })
}
