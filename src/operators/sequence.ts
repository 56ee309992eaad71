import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { KeyedEntry, StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import { Arrivals } from './arrivals.ts'
import { HeldInOrder } from './heldInOrder.ts'
import { keyOf } from './keyOf.ts'
import { timelyAt } from './timelyAt.ts'
import { wholeMs } from './wholeMs.ts'

/** Which values `sequence` looks for one after another, and within which time. */
export interface SequenceOptions<T, K extends string, O, L = O> {
  /** Unique in a pipeline. */
  readonly name: string
  /** Each key has a match of its own. */
  readonly by: (value: T) => string
  /** By name, in their order, at least two: what a value must be to be that step. */
  readonly steps: Readonly<Record<K, (value: T) => boolean>>
  /** A value for which this is true breaks the match off. It is asked before the step is, and told what has matched so far. */
  readonly unless?: (value: T, matched: Readonly<Partial<Record<K, T>>>) => boolean
  /** How long after its first value, ms or text such as `'1h'`, a match may end. Included. */
  readonly withinMs: Duration
  /** The result of a match; null for none. */
  readonly onMatch: (matched: Readonly<Record<K, T>>) => O | null
  /** The result of a match that has not ended in time; null for none, as where it is left out. */
  readonly onTimeout?: (matched: Readonly<Partial<Record<K, T>>>) => L | null
  /** Event time of a value, ms UTC; that of the `eventTime` above if left out. */
  readonly of?: (value: T) => number
  /** How values are saved; plain values need none. */
  readonly state?: StateCodec<T>
  /** Outside a task: receives late values, and values on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<SequenceOptions<never, never, never, never>> = {
  name: needed.text,
  by: needed.callback,
  steps: needed.record,
  unless: optional.callback,
  withinMs: needed.duration,
  onMatch: needed.callback,
  onTimeout: optional.callback,
  of: optional.callback,
  state: optional.stateCodec,
  onReject: optional.anyFunction,
}

interface Match<T> {
  readonly first: number
  /** Of the steps so far. */
  readonly values: readonly T[]
}

/** The end of the time that a match has. */
interface Ending<T> {
  readonly entry: KeyedEntry<Match<T>>
  readonly first: number
}

function isOpen<T>({ entry, first }: Ending<T>): boolean {
  return !entry.isDeleted && entry.value.first === first
}

/**
 * Finds values of a key that follow one another as `steps` say, with any others between.
 *
 * A key has one open match. It begins with a value that is the first step; one that would begin another meanwhile is passed over. Values are taken in the order of their event time, those of one time in the order in which they
 * came, each when the watermark has come to it. A match is told at the time of its last value; one that has not ended `withinMs` after its first value is told
 * to `onTimeout`, at that time. A value at or below the watermark is set aside as `late`, one without a whole-number time as `no-event-time`.
 * Keeps one value a step and key while a match is open, and the values above the watermark, each with a copy of its record. They are part of the checkpoint, so a crash neither loses
 * a match nor tells one twice.
 *
 * ```ts
 * clicks.pipe(
 *   sequence({
 *     name: 'funnel',
 *     by: ({ user }) => user,
 *     steps: { cart: ({ kind }) => kind === 'cart', buy: ({ kind }) => kind === 'buy' },
 *     unless: ({ kind }) => kind === 'logout',
 *     withinMs: '1h',
 *     onMatch: ({ cart, buy }) => ({ user: cart.user, afterMs: buy.at - cart.at }),
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above
 */
export function sequence<T, K extends string, O, L = O>(
  options: SequenceOptions<T, K, O, L>,
): OperatorFunction<T, O | L> {
  checkOptions('sequence', options, rules)
  const { name, by, steps, unless, onMatch, onTimeout, of, state = plainState<T>(), onReject } = options
  const names = Object.keys(steps) as K[]
  for (const step of names) checkArgument(`sequence '${name}'`, `steps.${step}`, steps[step], needed.callback)
  const withinMs = wholeMs(options.withinMs, `sequence '${name}': withinMs`, 0)
  if (names.length < 2)
    throw new ConfigurationError(`sequence '${name}': it needs two steps or more, got ${names.length}.`)
  if (names.some((step) => /^\d+$/.test(step)))
    throw new ConfigurationError(
      `sequence '${name}': the name of a step must not be a number, or its place among the others is lost.`,
    )
  return stateful<T, O | L>({ name, shape: { steps: names, withinMs }, onReject }, (restored, out) => {
    const arrivals = new Arrivals(restored.snapshot)
    const held = new HeldInOrder(state, restored, arrivals)
    const open = restored.keyed<Match<T>>(matchState(state), 'open')
    const ending = new TimerQueue<Ending<T>>(isOpen)
    const nextDue = () => Math.min(held.nextDue, ending.nextDue)

    function matchedBy(values: readonly T[]): Record<K, T> {
      return Object.fromEntries(values.map((value, i) => [names[i] as K, value])) as Record<K, T>
    }

    function isStep(step: K, value: T): boolean {
      const isIt = steps[step](value)
      refusePromise(`${name}: steps.${step}`, isIt)
      return isIt
    }

    function begin(key: string, first: number, value: T): void {
      const entry = open.set(key, { first, values: [value] })
      ending.add(first + withinMs, { entry, first })
    }

    function end(key: string): void {
      open.delete(key)
      ending.withdraw()
    }

    function look(key: string, value: T, at: number): void {
      const match = open.get(key)
      if (match === undefined) {
        if (isStep(names[0] as K, value)) begin(key, at, value)
        return
      }
      const isBroken = unless?.(value, matchedBy(match.values))
      if (isBroken !== undefined) refusePromise(`${name}: unless`, isBroken)
      if (isBroken === true) {
        end(key)
        return
      }
      if (!isStep(names[match.values.length] as K, value)) return
      const values = [...match.values, value]
      if (values.length < names.length) open.set(key, { ...match, values })
      else {
        const result = onMatch(matchedBy(values))
        refusePromise(`${name}: onMatch`, result)
        end(key)
        if (result !== null) out.emitAt(at, result)
      }
    }

    function timeOut(entry: KeyedEntry<Match<T>>, at: number): void {
      const { key, value } = entry
      open.delete(key)
      const result = onTimeout?.(matchedBy(value.values)) ?? null
      refusePromise(`${name}: onTimeout`, result)
      if (result !== null) out.emitAt(at, result)
    }

    for (const [key, { first }] of open.entries()) {
      ending.add(first + withinMs, { entry: open.entry(key) as KeyedEntry<Match<T>>, first })
    }
    out.wakeAt(nextDue())
    return {
      onValue(value) {
        const at = timelyAt(out, name, value, of)
        if (at === null) return
        held.hold({ value, at, origin: out.origin() })
        out.wakeAt(at)
      },
      onWatermark(watermark) {
        for (let time = nextDue(); time <= watermark; time = nextDue()) {
          const at = time
          // What comes at the last ms is still in time.
          if (held.nextDue === at) {
            for (const { value, origin } of held.take(at))
              out.attempt(origin, () => look(keyOf(by, value, name), value, at))
            continue
          }
          const due = ending.take(at)?.items ?? []
          const over = due.filter(isOpen)
          for (const { entry } of over.sort((a, b) => (a.entry.key < b.entry.key ? -1 : 1))) {
            out.attempt(null, () => timeOut(entry, at))
          }
        }
        out.wakeAt(nextDue())
      },
      snapshot: () => arrivals.snapshot(),
      openUntil: () => {
        let last = held.last
        for (const [, { first }] of open.entries())
          if (last === undefined || first + withinMs > last) last = first + withinMs
        return last
      },
    }
  })
}

function matchState<T>(codec: StateCodec<T>): StateCodec<Match<T>> {
  return {
    encode: ({ first, values }) => [first, values.map((value) => codec.encode(value))],
    decode: (saved) => {
      const [first, values] = saved as unknown as readonly [number, readonly Json[]]
      return { first, values: values.map((value) => codec.decode(value)) }
    },
  }
}
