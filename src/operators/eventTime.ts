import type { MonoTypeOperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError, StateMismatchError } from '../runtime/errors.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { spanning } from '../runtime/operator/spanning.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { kept } from '../runtime/spans/lent.ts'
import { Span, SpanTime } from '../runtime/spans/span.ts'
import { SpanFlags, SpanNumbers } from '../runtime/spans/spanColumns.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import type { SavedOperator } from '../runtime/state/savedState.ts'
import { isEventMs, notEventMs } from './eventMs.ts'
import { type HeldValue, LeapGuard, type SavedGuard } from './leapGuard.ts'

/** Where `eventTime` finds the time of a value, and how far it trusts it. */
export interface EventTimeOptions<T> {
  /** When the value happened: ms UTC, a whole number. */
  readonly of: (value: T) => number
  /** How far the watermark trails the newest value: ms, or text such as `'2s'`. A value may arrive this much after a newer one and still find its window open. */
  readonly maxOutOfOrdernessMs: Duration
  /**
   * The furthest that one value may pull time ahead of the newest one before: ms, or text such as `'10s'`. A value beyond is held back until the data decide: it is let through when
   * `confirmations` values in all have come as far, and set aside as `time-leap` when as many have come from before it. So one absurd time
   * closes no window, while the end of a halt passes. Without it every value is believed.
   */
  readonly maxAdvanceMs?: Duration
  /** How many values in all have to come as far; 3 if left out. */
  readonly confirmations?: number
  /** Marks values that say themselves that they are old, such as those fetched behind newer ones: they are passed on and say nothing about time. */
  readonly isOfThePast?: (value: T) => boolean
  /** How held values are saved; plain values need none. */
  readonly state?: StateCodec<T>
  /** Unique in a pipeline; `eventTime` if left out. */
  readonly name?: string
  /** Outside a task: receives what is set aside. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<EventTimeOptions<never>> = {
  of: needed.callback,
  isOfThePast: optional.callback,
  maxOutOfOrdernessMs: needed.duration,
  maxAdvanceMs: optional.duration,
  confirmations: optional.number,
  state: optional.stateCodec,
  name: optional.text,
  onReject: optional.anyFunction,
}

/**
 * Passes every value on and moves time by it, for all operators below: the watermark is the newest event time, less the bound, less 1 ms.
 *
 * Time moves after the value has been passed on, from data only, and never goes back. Keeps the newest time and, with `maxAdvanceMs`, at most
 * 2 × `confirmations` values that are held back. At the end of the input all windows below fire. A graph has one `eventTime`.
 * A value without a whole-number time is set aside as `no-event-time`. Where nothing comes for `Pipeline.idleAfterMs`, held values that the time has come up to pass.
 * Held values are part of the checkpoint, so a replay moves time at the same records and decides alike.
 * @throws ConfigurationError on options out of range
 */
export function eventTime<T>(options: EventTimeOptions<T>): MonoTypeOperatorFunction<T> {
  checkOptions('eventTime', options, rules)
  const { of, isOfThePast, confirmations = 3 } = options
  const name = options.name ?? 'eventTime'
  const maxOutOfOrdernessMs = durationMs(options.maxOutOfOrdernessMs, `${name}: maxOutOfOrdernessMs`)
  const maxAdvanceMs =
    options.maxAdvanceMs === undefined ? undefined : durationMs(options.maxAdvanceMs, `${name}: maxAdvanceMs`)
  const codec = options.state ?? plainState<T>()
  if (!Number.isSafeInteger(maxOutOfOrdernessMs) || maxOutOfOrdernessMs < 0) {
    throw new ConfigurationError(
      `${name}: maxOutOfOrdernessMs must be a whole number from 0, got ${options.maxOutOfOrdernessMs}`,
    )
  }
  if (maxAdvanceMs !== undefined && !(Number.isSafeInteger(maxAdvanceMs) && maxAdvanceMs > 0)) {
    throw new ConfigurationError(`${name}: maxAdvanceMs must be a positive whole number, got ${options.maxAdvanceMs}`)
  }
  if (!Number.isSafeInteger(confirmations) || confirmations < 1) {
    throw new ConfigurationError(`${name}: confirmations must be a positive whole number, got ${confirmations}`)
  }
  const isGuarded = maxAdvanceMs !== undefined
  const spec: OperatorSpec = {
    name,
    version: 2,
    shape: { isGuarded },
    migrate: (saved) => withOtherOptions(name, saved, isGuarded),
    ownsTime: true,
    passesRedriven: true,
    takesLent: true,
    onReject: options.onReject,
  }
  return spanning<T, T>(spec, (restored, out) => {
    const guard = isGuarded
      ? new LeapGuard<T>({ maxOutOfOrdernessMs, maxAdvanceMs, confirmations, codec }, restored)
      : null

    function pass(value: T, at: number): void {
      out.pass(at, value, at - maxOutOfOrdernessMs - 1)
    }

    function settle(decided: readonly HeldValue<T>[]): void {
      for (const held of decided) {
        if (held.isAccepted) out.during(held.origin, () => pass(held.value, held.time))
        else out.reject('time-leap', held.explain(), held.origin)
      }
    }

    const time = new SpanTime()
    const timed = new Span<T>()
    const times = new SpanNumbers(of)
    const past = isOfThePast === undefined ? null : new SpanFlags(isOfThePast)

    /** True where nothing is due by the time that a value moves to. */
    function isQuiet(at: number, newest: number, quietUntil: number): boolean {
      if (at <= newest) return true
      if (maxAdvanceMs !== undefined && at > newest + maxAdvanceMs) return false
      return at - maxOutOfOrdernessMs - 1 < quietUntil
    }

    return {
      onValue(value) {
        const at = of(value)
        if (!isEventMs(at)) {
          refusePromise(`${name}: of`, at)
          out.reject('no-event-time', notEventMs(at))
          return
        }
        // It has had its say about time when it came first.
        if (out.isRedriven || isOfThePast?.(value) === true) return out.pass(at, value, Number.NEGATIVE_INFINITY)
        if (guard === null || (guard.isQuiet && guard.reaches(at))) return pass(value, at)
        settle(guard.witness(at))
        if (guard.reaches(at)) pass(value, at)
        else guard.hold(kept(value), at, out.origin())
      },
      onIdle(watermark) {
        // Time that has passed without a value is time that a value may follow at.
        if (guard !== null) settle(guard.reach(watermark + maxOutOfOrdernessMs + 1))
        out.advance(watermark)
      },
      onComplete() {
        if (guard !== null) settle(guard.end())
        out.close()
      },
      look(span, to) {
        if (guard?.isQuiet === false) return span.recordBehind(0, to)
        timed.beginWith(span)
        timed.time = time
        const { records } = span
        let count = span.countBefore(to)
        if (count > 0) count = times.read(span, past?.read(span, count) ?? count)
        time.of = times.of
        const { quietUntil } = out
        let newest = guard?.newest ?? Number.NEGATIVE_INFINITY
        for (; timed.count < count; timed.count += 1) {
          const record = records[timed.count] as number
          const at = time.of[record] as number
          if (!isEventMs(at) || past?.at(record) === true || !isQuiet(at, newest, quietUntil)) break
          if (at > newest) newest = at
        }
        time.watermark = Math.max(out.streamTime, newest - maxOutOfOrdernessMs - 1)
        return out.lookOn(timed, span.recordBehind(timed.count, to))
      },
      take(_span, to) {
        out.takeOn(timed, to)
        let last = Number.NEGATIVE_INFINITY
        for (let i = timed.countBefore(to) - 1; i >= 0; i -= 1) {
          const at = time.of[timed.records[i] as number] as number
          if (at > last) last = at
        }
        guard?.follow(last)
        out.advance(last - maxOutOfOrdernessMs - 1)
      },
      ...(guard === null ? {} : { snapshot: () => guard.snapshot() }),
    }
  })
}

/** Only whether there is a guard shapes what is kept; the other options may change. 0.1.0 had them all in the shape. */
function withOtherOptions(name: string, saved: SavedOperator, isGuarded: boolean): SavedOperator {
  const held = (saved.snapshot as unknown as SavedGuard | null)?.held.length ?? 0
  if (!isGuarded && held > 0) {
    throw new StateMismatchError(
      `${name}: ${held} values whose time leaps ahead are held back and not decided about. Start once more with maxAdvanceMs, and take it away when they are.`,
    )
  }
  return { ...saved, version: 2, shape: { isGuarded }, snapshot: isGuarded ? saved.snapshot : null }
}
