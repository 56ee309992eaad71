import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import { OperatorError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { KeyedEntry, StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import type { SavedOperator } from '../runtime/state/savedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import { keyOf } from './keyOf.ts'
import { roomForKey } from './roomForKey.ts'
import { wholeCount } from './wholeMs.ts'

/** What `keyed` does next with a key. */
export interface KeyedStep<S, O> {
  /** What is kept for the key from now on; null to forget it, its timer included. */
  readonly keep: S | null
  /** What goes on; nothing if left out. */
  readonly emit?: readonly O[]
  /** Event time, ms UTC, at which `onTimer` is called for the key; null takes the timer back. If left out it stays as it is. A key has one timer. */
  readonly wakeAt?: number | null
}

/** The value or timer that `keyed` is asked about. Times are ms UTC of event time. */
export interface KeyedMoment {
  readonly key: string
  /** Of the value, or for which the timer was set. */
  readonly at: number
}

/** What `keyed` keeps for each key, and what it does with values and timers. */
export interface KeyedOptions<T, S, O> {
  /** Unique in a pipeline. */
  readonly name: string
  /** Each key has a state of its own. */
  readonly by: (value: T) => string
  /** The state of a key that has none. */
  readonly initial: (key: string) => S
  /** What a value of the key does. The state must not be changed in place. */
  readonly onValue: (state: S, value: T, moment: KeyedMoment) => KeyedStep<S, O>
  /** What the key's timer does. It may set the next one for a later time only. */
  readonly onTimer?: (state: S, moment: KeyedMoment) => KeyedStep<S, O>
  /** How many keys may be kept at once; 1,000,000 if left out. One more ends the task, and nothing is lost. */
  readonly maxKeys?: number
  /** How a state is saved; plain values need none. */
  readonly state?: StateCodec<S>
  /** Raise it when states change their meaning or shape; 1 if left out. */
  readonly version?: number
  /** Turns a state as an older version had saved it into what this one saves. Without it a checkpoint of another version is refused. */
  readonly migrate?: (saved: Json, version: number) => Json
  /** Outside a task: receives values on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<KeyedOptions<never, never, never>> = {
  name: needed.text,
  by: needed.callback,
  initial: needed.callback,
  onValue: needed.callback,
  onTimer: optional.callback,
  maxKeys: optional.number,
  state: optional.stateCodec,
  version: optional.number,
  migrate: optional.callback,
  onReject: optional.anyFunction,
}

interface KeyState<S> {
  state: S
  wakeAt: number | null
  /** The time at which it stands in the queue; infinite where it does not. */
  queuedAt: number
}

/**
 * Keeps a state for each key, and one timer: for logic of one's own over event time.
 *
 * A timer fires once the watermark has come to its time, after the values that were there before; timers that are due together by time, then by key. One that is set for a time that is past fires
 * at once. What `onValue` emits has the value's event time, what `onTimer` emits the timer's. Where a callback throws, the value is set aside, or the timer lost, and the state is as before.
 * Keeps one entry a key until `keep` is null, at most `maxKeys`; states and timers are part of the checkpoint, so a crash neither loses a timer nor fires one twice.
 *
 * ```ts
 * clicks.pipe(
 *   keyed({
 *     name: 'silence',
 *     by: ({ user }) => user,
 *     initial: () => 0,
 *     onValue: (last, { at }) => ({ keep: Math.max(last, at), wakeAt: Math.max(last, at) + 600_000 }),
 *     onTimer: (since, { key }) => ({ keep: null, emit: [{ user: key, since }] }),
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above, and where `onTimer` sets a timer that is not later than its own, which would never end
 */
export function keyed<T, S, O>(options: KeyedOptions<T, S, O>): OperatorFunction<T, O> {
  checkOptions('keyed', options, rules)
  const { name, by, initial, onValue, onTimer, state = plainState<S>(), onReject } = options
  const version = wholeCount(options.version ?? 1, `keyed '${name}': version`)
  const maxKeys = wholeCount(options.maxKeys ?? 1_000_000, `keyed '${name}': maxKeys`)
  const spec = { name, shape: { version }, migrate: migrating(version, options.migrate), onReject }
  return stateful<T, O>(spec, (restored, out) => {
    const saved = restored.keyed<KeyState<S>>(keyState(state))
    const queue = new TimerQueue<KeyedEntry<KeyState<S>>>(
      ({ isDeleted, value }, time) => !isDeleted && value.queuedAt === time,
    )

    /** Stands in the queue once, at its time or before. */
    function enqueue(entry: KeyedEntry<KeyState<S>>): void {
      const kept = entry.value
      if (kept.wakeAt === null || kept.wakeAt >= kept.queuedAt) return
      const isQueued = kept.queuedAt < Number.POSITIVE_INFINITY
      kept.queuedAt = kept.wakeAt
      queue.add(kept.wakeAt, entry)
      if (isQueued) queue.withdraw()
      out.wakeAt(kept.wakeAt)
    }

    function first(key: string): S {
      const state = initial(key)
      refusePromise(`${name}: initial`, state)
      return state
    }

    /** Gives the entry, or null where the key is forgotten. */
    function take(key: string, step: KeyedStep<S, O>): KeyedEntry<KeyState<S>> | null {
      const { keep, wakeAt } = step
      refusePromise(`${name}: keep`, keep)
      if (wakeAt != null && !Number.isSafeInteger(wakeAt))
        throw new TypeError(`wakeAt must be a whole number of ms, got ${wakeAt}`)
      if (keep === undefined) throw new TypeError('keep must be a state, or null to forget the key, got undefined')
      if (wakeAt != null && onTimer === undefined) throw new OperatorError(`${name}: it sets timers but has no onTimer`)
      const known = saved.entry(key)
      if (keep === null) {
        saved.delete(key)
        if (known !== undefined && known.value.queuedAt < Number.POSITIVE_INFINITY) queue.withdraw()
        return null
      }
      if (known === undefined) {
        roomForKey(name, saved.size, maxKeys)
        return saved.set(key, { state: keep, wakeAt: wakeAt ?? null, queuedAt: Number.POSITIVE_INFINITY })
      }
      const kept = saved.touch(known)
      kept.state = keep
      if (wakeAt !== undefined) kept.wakeAt = wakeAt
      return known
    }

    function fire(entry: KeyedEntry<KeyState<S>>, at: number, emit: (result: O) => void): void {
      const { key } = entry
      const kept = saved.touch(entry)
      kept.wakeAt = null
      const step = checkedStep(name, 'onTimer', (onTimer as NonNullable<typeof onTimer>)(kept.state, { key, at }))
      if (step.wakeAt != null && step.wakeAt <= at) {
        throw new OperatorError(
          `${name}: the timer of ${key} at ${at} sets the next one for ${step.wakeAt}, which is not later: it would never end`,
        )
      }
      take(key, step)
      for (const result of step.emit ?? []) emit(result)
    }

    /** Fires what the key has set for a time that is past. */
    function fireDue(entry: KeyedEntry<KeyState<S>>, watermark: number, emit: (at: number, result: O) => void): void {
      while (!entry.isDeleted && entry.value.wakeAt !== null && entry.value.wakeAt <= watermark) {
        const at = entry.value.wakeAt
        fire(entry, at, (result) => emit(at, result))
      }
      if (!entry.isDeleted) enqueue(entry)
    }

    out.wakeAt(Number.POSITIVE_INFINITY)
    for (const [key] of saved.entries()) enqueue(saved.entry(key) as KeyedEntry<KeyState<S>>)
    return {
      onValue(value) {
        const key = keyOf(by, value, name)
        const before = saved.get(key)?.state ?? first(key)
        const step = checkedStep(name, 'onValue', onValue(before, value, { key, at: out.valueTime() }))
        const entry = take(key, step)
        for (const result of step.emit ?? []) out.emit(result)
        if (entry !== null) fireDue(entry, out.watermark, (_at, result) => out.emit(result))
      },
      onWatermark(watermark, before) {
        for (let due = queue.take(watermark); due !== undefined; due = queue.take(watermark)) {
          const { time } = due
          for (const entry of due.items.sort((a, b) => (a.key < b.key ? -1 : 1))) {
            if (entry.isDeleted || entry.value.queuedAt !== time) continue
            entry.value.queuedAt = Number.POSITIVE_INFINITY
            if (entry.value.wakeAt === time) {
              out.attempt(null, () => fire(entry, time, (result) => out.emitAt(Math.max(time, before + 1), result)))
            }
            if (!entry.isDeleted) enqueue(entry)
          }
        }
        out.wakeAt(queue.nextDue)
      },
      openUntil: () => {
        let last: number | undefined
        for (const [, { wakeAt }] of saved.entries()) {
          if (wakeAt !== null && (last === undefined || wakeAt > last)) last = wakeAt
        }
        return last
      },
    }
  })
}

/** JavaScript may give anything. */
function checkedStep<S, O>(name: string, callback: string, step: KeyedStep<S, O>): KeyedStep<S, O> {
  if (typeof step !== 'object' || step === null)
    throw new TypeError(`${callback} must give { keep, emit, wakeAt }, got ${String(step)}`)
  refusePromise(`${name}: ${callback}`, step)
  const { emit } = step
  if (emit !== undefined && !Array.isArray(emit))
    throw new OperatorError(`${name}: emit of ${callback} must be an array of results, got ${typeof emit}`)
  return step
}

function keyState<S>(codec: StateCodec<S>): StateCodec<KeyState<S>> {
  return {
    encode: ({ state, wakeAt }) => [codec.encode(state), wakeAt],
    decode: (saved) => {
      const [state, wakeAt] = saved as unknown as readonly [Json, number | null]
      return { state: codec.decode(state), wakeAt, queuedAt: Number.POSITIVE_INFINITY }
    },
  }
}

function migrating(version: number, migrate: KeyedOptions<never, never, never>['migrate']) {
  return (saved: SavedOperator): SavedOperator => {
    const { version: savedVersion = 1 } = (saved.shape ?? {}) as { readonly version?: number }
    if (migrate === undefined || savedVersion >= version) return saved
    const keyed = saved.keyed.map(([key, kept]) => {
      const [state, wakeAt] = kept as unknown as readonly [Json, number | null]
      return [key, [migrate(state, savedVersion), wakeAt]] as const
    })
    return { ...saved, shape: { version }, keyed }
  }
}
