import type { OperatorFunction } from 'rxjs'
import type { Duration } from '../runtime/duration.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { KeyedEntry, StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import { Arrivals } from './arrivals.ts'
import { HeldInOrder } from './heldInOrder.ts'
import { keyOf } from './keyOf.ts'
import { roomForKey } from './roomForKey.ts'
import { timelyAt } from './timelyAt.ts'
import { wholeCount, wholeMs } from './wholeMs.ts'
import type { Window, WindowElement } from './window.ts'

/** How many values a window of `countWindow` has, whose they are, and how long it waits for them. */
export interface CountWindowOptions<T> {
  /** Unique in a pipeline. */
  readonly name: string
  /** How many values of a key fill a window; a count. */
  readonly size: number
  /** Each key has windows of its own. */
  readonly by: (value: T) => string
  /** Event time of a value, ms UTC; that of the `eventTime` above if left out, and for a window's result that of its last value. */
  readonly of?: (value: T) => number
  /** A window that this time (ms, or text such as `'1h'`) after its first value is not full fires with what it has. No bound if left out. */
  readonly maxWaitMs?: Duration
  /** How many keys it may know, 1,000,000 if left out: it counts the windows of each. One more ends the task, and nothing is lost. */
  readonly maxKeys?: number
  /** How values that wait for their time are saved; plain values need none. */
  readonly state?: StateCodec<T>
  /** Outside a task: receives late values. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<CountWindowOptions<never>> = {
  name: needed.text,
  size: needed.number,
  by: needed.callback,
  of: optional.callback,
  maxWaitMs: optional.duration,
  maxKeys: optional.number,
  state: optional.stateCodec,
  onReject: optional.anyFunction,
}

/** The count of a key: the number of its window, how many values are in it, and when its first and last was. */
interface Count {
  ordinal: number
  values: number
  first: number
  last: number
}

/**
 * Puts the values of each key into windows of `size` values, in the order of their event time: `[first, last + 1)`, with `key#n` as id, n from 0.
 *
 * Each value is taken when the watermark has come to its time, so in what order values come within that time changes no window. A window fires once, with its last value, or with `maxWaitMs` once the watermark
 * has come to `first + maxWaitMs - 1`; a rest fires when the input is declared ended. A value at or below the watermark is set aside as `late`, one without a whole-number time as `no-event-time`.
 * Holds the values above the watermark, each with a copy of its record, and four numbers a key for good. They are part of the checkpoint, so a crash neither
 * loses a value nor counts one twice.
 *
 * ```ts
 * orders.pipe(
 *   countWindow({ name: 'lot', size: 100, by: ({ customer }) => customer, maxWaitMs: '1h' }),
 *   aggregateWindow({ initial: () => 0, add: (sum, { amount }) => sum + amount, result: (amount, { id }) => ({ id, amount }) }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above
 */
export function countWindow<T>(options: CountWindowOptions<T>): OperatorFunction<T, WindowElement<T>> {
  checkOptions('countWindow', options, rules)
  const { name, by, of, state = plainState<T>(), onReject } = options
  const what = `countWindow '${name}'`
  const size = wholeCount(options.size, `${what}: size`)
  const maxKeys = wholeCount(options.maxKeys ?? 1_000_000, `${what}: maxKeys`)
  const maxWaitMs =
    options.maxWaitMs === undefined ? Number.POSITIVE_INFINITY : wholeMs(options.maxWaitMs, `${what}: maxWaitMs`, 1)
  return stateful<T, WindowElement<T>>({ name, shape: { size }, onReject }, (restored, out) => {
    const arrivals = new Arrivals(restored.snapshot)
    const held = new HeldInOrder(state, restored, arrivals)
    const counts = restored.keyed<Count>(countState, 'counts')
    const closing = new TimerQueue<KeyedEntry<Count>>(waitsUntil)
    const nextDue = () => Math.min(held.nextDue, closing.nextDue)

    function waitFor(entry: KeyedEntry<Count>): void {
      if (maxWaitMs < Number.POSITIVE_INFINITY) closing.add(entry.value.first + maxWaitMs - 1, entry)
    }

    function waitsUntil({ value: { values, first } }: KeyedEntry<Count>, time: number): boolean {
      return values > 0 && first + maxWaitMs - 1 === time
    }

    function windowOf({ key, value: { ordinal, first, last } }: KeyedEntry<Count>): Window {
      return { name, key, start: first, end: last + 1, id: `${key}#${ordinal}`, varies: true }
    }

    function count(key: string, at: number, value: T): void {
      const known = counts.entry(key)
      if (known === undefined) roomForKey(name, counts.size, maxKeys)
      const entry = known ?? counts.set(key, { ordinal: 0, values: 0, first: at, last: at })
      const now = counts.touch(entry)
      if (now.values === 0) {
        now.first = at
        waitFor(entry)
      }
      now.values += 1
      now.last = at
      out.emitAt(at, { kind: 'value', window: windowOf(entry), value, isProvisional: false })
      if (now.values === size) closeBefore(entry, at)
    }

    function close(entry: KeyedEntry<Count>, at: number): void {
      const window = windowOf(entry)
      const now = counts.touch(entry)
      now.ordinal += 1
      now.values = 0
      out.emitAt(at, { kind: 'fired', window, revision: 1 })
      out.emitAt(at, { kind: 'over', window })
    }

    /** Closes it before it has waited as long as it may. */
    function closeBefore(entry: KeyedEntry<Count>, at: number): void {
      close(entry, at)
      if (maxWaitMs < Number.POSITIVE_INFINITY) closing.withdraw()
    }

    let isClosing = false

    function rests(): KeyedEntry<Count>[] {
      const entries = [...counts.entries()].filter(([, { values }]) => values > 0)
      return entries.map(([key]) => counts.entry(key) as KeyedEntry<Count>)
    }

    function lastRest(): number | undefined {
      let latest: number | undefined
      for (const { value } of rests()) if (latest === undefined || value.last > latest) latest = value.last
      return latest
    }

    /** By time and key; none lies before the time that was known. */
    function closeRests(before: number): void {
      isClosing = false
      const inTime = rests().sort((a, b) => a.value.last - b.value.last || (a.key < b.key ? -1 : 1))
      for (const entry of inTime) closeBefore(entry, Math.max(entry.value.last, before + 1))
    }

    for (const [key, { values }] of counts.entries()) {
      if (values > 0) waitFor(counts.entry(key) as KeyedEntry<Count>)
    }
    out.wakeAt(nextDue())
    return {
      onValue(value) {
        const at = timelyAt(out, name, value, of)
        if (at === null) return
        held.hold({ value, at, origin: out.origin() })
        out.wakeAt(at)
      },
      onWatermark(watermark, before) {
        for (let time = nextDue(); time <= watermark; time = nextDue()) {
          if (held.nextDue === time) {
            for (const { value, at, origin } of held.take(time)) {
              out.attempt(origin, () => count(keyOf(by, value, name), at, value))
            }
          } else {
            const due = closing.take(time)?.items ?? []
            const waited = due.filter((entry) => waitsUntil(entry, time))
            // A window that filled up in the ms in which another one began may stand here twice.
            for (const entry of new Set(waited.sort((a, b) => (a.key < b.key ? -1 : 1)))) close(entry, time)
          }
        }
        if (isClosing) closeRests(before)
        out.wakeAt(nextDue())
      },
      onClose() {
        isClosing = true
        out.wakeAt(Number.NEGATIVE_INFINITY)
      },
      snapshot: () => arrivals.snapshot(),
      openUntil: () => {
        let last = held.last ?? (isClosing ? lastRest() : undefined)
        for (const { time, items } of closing.waiting()) {
          if ((last === undefined || time > last) && items.some(({ value }) => value.values > 0)) last = time
        }
        return last
      },
    }
  })
}

type SavedCount = readonly [ordinal: number, values: number, first: number, last: number]

const countState: StateCodec<Count> = {
  encode: ({ ordinal, values, first, last }) => [ordinal, values, first, last],
  decode: (saved) => {
    const [ordinal, values, first, last] = saved as unknown as SavedCount
    return { ordinal, values, first, last }
  },
}
