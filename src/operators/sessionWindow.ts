import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { Arrivals } from './arrivals.ts'
import { isEventMs, notEventMs } from './eventMs.ts'
import { HeldInOrder } from './heldInOrder.ts'
import { keyOf } from './keyOf.ts'
import { Lateness } from './lateness.ts'
import { LentInWindow } from './lentInWindow.ts'
import { OpenSessions, type Session } from './openSessions.ts'
import { timelyAt } from './timelyAt.ts'
import { wholeMs } from './wholeMs.ts'
import type { WindowElement } from './window.ts'

/** Which silence ends a session of `sessionWindow`, and whose it is. */
export interface SessionWindowOptions<T> {
  /** Unique in a pipeline. */
  readonly name: string
  /** Values of a key that are less than this apart are of one session: ms, or text such as `'30m'`. */
  readonly gapMs: Duration
  /** Each key has sessions of its own. */
  readonly by: (value: T) => string
  /** Event time of a value, ms UTC; that of the `eventTime` above if left out, and for a session's result the session's last ms. */
  readonly of?: (value: T) => number
  /**
   * The longest that a session may be, ms or text such as `'1d'`, at least `gapMs`: what comes this much after its first value begins another one, so that one which never falls silent ends too. It
   * depends on the order of the values, so that each is taken when the watermark has come to it, and is late from then on. No bound if left out.
   */
  readonly maxMs?: Duration
  /**
   * How long (ms, or text such as `'1h'`) a session that has fired is kept for values that come later: one that is part of it fires it again with a higher revision, and one that joins it to others, or
   * makes it longer, has the result that holds no longer taken back. 0 if left out, and not together with `maxMs`. May be changed between two starts; what is over by then stays over.
   */
  readonly allowedLatenessMs?: Duration
  /** With `maxMs`: how values that wait for their time are saved; plain values need none. */
  readonly state?: StateCodec<T>
  /** Outside a task: receives late values. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<SessionWindowOptions<never>> = {
  name: needed.text,
  gapMs: needed.duration,
  by: needed.callback,
  of: optional.callback,
  maxMs: optional.duration,
  allowedLatenessMs: optional.duration,
  state: optional.stateCodec,
  onReject: optional.anyFunction,
}

/**
 * Puts each value into the session of its key: values that are less than `gapMs` apart are of one, `[first, last + gapMs)`. Exactly `gapMs` apart are two.
 *
 * A session fires when the watermark reaches `end - 1`; those that are due together by end, then by key. A value that joins two makes them one, so the fold below needs `merge`; in what order the
 * values come changes no session. A value is set aside as `late` where the session that it would make by itself is over, allowed lateness included, or where it
 * touches one that is: sessions of a key never overlap. One without a whole-number time is set aside as `no-event-time`.
 *
 * With `allowedLatenessMs` a late value corrects sessions that have fired. As long as its session begins where it began, and is not open again, that one fires at once with a revision one
 * higher. Where it has become part of another one, or waits for its new end, its result is taken back at once, and the session that it is in by now fires when it is due, with a revision one higher than the highest that went into it. The fold
 * below says how a result is taken back (`withdraws` of `aggregateWindow`, `withdrawBy` of `topN`). Rows are told apart by key and start, or by the window's id; the end of a session may change.
 *
 * Keeps one small entry a session from its first value until the watermark reaches `end - 1 + allowedLatenessMs`, and for each key when its last one ended, for a gap longer; with `maxMs` also the values above the
 * watermark, each with a copy of its record. All of it is part of the checkpoint, so a crash changes no session.
 *
 * ```ts
 * clicks.pipe(
 *   sessionWindow({ name: 'visit', gapMs: '30m', by: ({ user }) => user }),
 *   aggregateWindow({
 *     initial: () => 0,
 *     add: (pages) => pages + 1,
 *     merge: (a, b) => a + b,
 *     result: (pages, { key, start, end }) => ({ user: key, start, end, pages }),
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above
 */
export function sessionWindow<T>(options: SessionWindowOptions<T>): OperatorFunction<T, WindowElement<T>> {
  checkOptions('sessionWindow', options, rules)
  const { name, by, of, state = plainState<T>(), onReject } = options
  const what = `sessionWindow '${name}'`
  const gapMs = wholeMs(options.gapMs, `${what}: gapMs`, 1)
  const maxMs = options.maxMs === undefined ? Number.POSITIVE_INFINITY : wholeMs(options.maxMs, `${what}: maxMs`, 1)
  if (maxMs < gapMs) {
    throw new ConfigurationError(`${what}: maxMs must be at least gapMs, got ${options.maxMs} and ${options.gapMs}.`)
  }
  const allowedLatenessMs = wholeMs(options.allowedLatenessMs ?? 0, `${what}: allowedLatenessMs`, 0)
  const isBounded = options.maxMs !== undefined
  if (isBounded && allowedLatenessMs > 0) {
    throw new ConfigurationError(
      `${what}: maxMs and allowedLatenessMs exclude each other: where a session is split depends on all values before, so a late one could change every session behind it. Leave one of them out.`,
    )
  }
  const spec = {
    name,
    shape: { gapMs, maxMs: isBounded ? maxMs : null },
    needsMerge: true,
    needsWithdraw: allowedLatenessMs > 0,
    // One that waits for its time is kept.
    ...(isBounded ? {} : { takesLent: true }),
    onReject,
  }
  return stateful<T, WindowElement<T>>(spec, (restored, out) => {
    // Of sessions that are bounded the snapshot counts arrivals.
    const lateness = new Lateness(allowedLatenessMs, isBounded ? { ...restored, snapshot: undefined } : restored)
    const sessions = new OpenSessions({ name, gapMs, maxMs, allowedLatenessMs }, lateness, restored)
    const arrivals = new Arrivals(restored.snapshot)
    const held = isBounded ? new HeldInOrder(state, restored, arrivals) : null
    const lent = new LentInWindow<T>()
    const nextDue = () => Math.min(sessions.nextDue, held?.nextDue ?? Number.POSITIVE_INFINITY)

    function join(key: string, at: number, value: T, watermark: number): void {
      const { session, wasOpen, merged, withdrawn } = sessions.join(key, at, watermark)
      const { window } = session
      if (!wasOpen) out.wakeAt(nextWake())
      for (const { window, revision } of withdrawn) {
        out.emitAt(window.end - 1, { kind: 'withdrawn', window, revision: revision + 1 })
      }
      if (merged.length > 0) out.emitAt(at, { kind: 'merged', window, from: merged })
      out.emitAt(at, lent.inWindow(window, value))
      if (window.end - 1 <= watermark) fire(session)
    }

    function fire(session: Session): void {
      const { window } = session
      out.emitAt(window.end - 1, { kind: 'fired', window, revision: sessions.fire(session) })
    }

    const nextWake = () => Math.min(nextDue(), sessions.nextOver)
    out.wakeAt(nextWake())
    return {
      onValue(value) {
        if (held !== null) {
          const at = timelyAt(out, name, value, of)
          if (at === null) return
          held.hold({ value, at, origin: out.origin() })
          out.wakeAt(nextWake())
        } else {
          const at = of === undefined ? out.valueTime() : of(value)
          if (!isEventMs(at)) {
            refusePromise(`${name}: of`, at)
            out.reject('no-event-time', `${name}: ${notEventMs(at)}`)
            return
          }
          const key = keyOf(by, value, name)
          const { watermark } = out
          const over = sessions.lateFor(key, at, watermark)
          if (over !== null) {
            out.reject(
              'late',
              `${name}: event time ${at} of ${key} is late: its session ended at ${over}, the watermark is ${watermark}`,
            )
            return
          }
          join(key, at, value, watermark)
        }
      },
      onWatermark(watermark) {
        for (let time = nextDue(); time <= watermark; time = nextDue()) {
          // What comes at the last ms of a session is before its end.
          if (held !== null && held.nextDue === time) {
            for (const { value, at, origin } of held.take(time)) {
              out.attempt(origin, () => join(keyOf(by, value, name), at, value, at - 1))
            }
          } else for (const session of sessions.takeDue(time)) fire(session)
        }
        for (const { window } of sessions.takeOver(watermark)) out.emitAt(window.end - 1, { kind: 'over', window })
        out.wakeAt(nextWake())
      },
      snapshot: () => (isBounded ? arrivals.snapshot() : lateness.snapshot()),
      openUntil: () => {
        const [open, waiting] = [sessions.last, held?.last]
        return open === undefined || waiting === undefined ? (open ?? waiting) : Math.max(open, waiting)
      },
    }
  })
}
