import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { partlyLate } from '../runtime/letters/deadLetters.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import { isEventMs, notEventMs } from './eventMs.ts'
import { keyOf } from './keyOf.ts'
import { Lateness } from './lateness.ts'
import { LentInWindow } from './lentInWindow.ts'
import { OpenPanes, type PaneRow } from './openPanes.ts'
import { paneMs, startsOver, windowAt } from './panes.ts'
import { wholeMs } from './wholeMs.ts'
import { type Window, type WindowElement, windowId } from './window.ts'

/** How long the windows of `hoppingWindow` are, how far apart, whose they are, and how long each stays open for corrections. */
export interface HoppingWindowOptions<T> {
  /** Unique in a pipeline. */
  readonly name: string
  /** Length of a window: ms, or text such as `'5m'`. */
  readonly sizeMs: Duration
  /** A window starts at each multiple of it: ms, or text such as `'1m'`. At most `sizeMs`. */
  readonly hopMs: Duration
  /** Each key has windows of its own. */
  readonly by: (value: T) => string
  /** Event time of a value, ms UTC; that of the `eventTime` above if left out, and for a window's result the window's last ms. */
  readonly of?: (value: T) => number
  /**
   * How long (ms, or text such as `'30s'`) a window that has fired still accepts values, each of which fires it again with a higher revision. 0 if left out. May be changed between
   * two starts; windows that are over by then stay over.
   */
  readonly allowedLatenessMs?: Duration
  /** Outside a task: receives late values. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<HoppingWindowOptions<never>> = {
  name: needed.text,
  sizeMs: needed.duration,
  hopMs: needed.duration,
  by: needed.callback,
  of: optional.callback,
  allowedLatenessMs: optional.duration,
  onReject: optional.anyFunction,
}

/** Bounds what one value may bring about: it is in as many windows as there are panes in one, or less. */
const mostPanes = 10_000

/**
 * Puts each value into every window `[start, end)` of its key that its event time falls in, start being a multiple of `hopMs`: windows that overlap where `hopMs` is less than `sizeMs`.
 *
 * A value goes into one pane, whose length is the longest that divides both, and a window that fires is made of its panes: so it costs the same however many windows share it. The fold
 * below needs `merge`. A window fires when the watermark reaches `end - 1`, if it has a value; those that are due together by end, then by key. Each window decides for itself
 * whether a value is late: one that all of its windows are over for is set aside as `late`; one that only some are over for enters the others and is told as `partly-late`, a letter
 * that must not be redriven, for the value would count twice.
 * Keeps one small entry a pane, until its last window is over, and one a window that has fired where it may be corrected: at most `(sizeMs + allowedLatenessMs) / pane` panes a key.
 * They are part of the checkpoint, so after a crash a window fires as often as without it, with the same revisions.
 *
 * ```ts
 * trades.pipe(
 *   hoppingWindow({ name: '5m', sizeMs: '5m', hopMs: '1m', by: ({ symbol }) => symbol }),
 *   aggregateWindow({
 *     initial: () => 0n,
 *     add: (sum, { quantity }) => sum + quantity,
 *     merge: (a, b) => a + b,
 *     result: (volume, { key, end }) => ({ symbol: key, end, volume }),
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above
 */
export function hoppingWindow<T>(options: HoppingWindowOptions<T>): OperatorFunction<T, WindowElement<T>> {
  checkOptions('hoppingWindow', options, rules)
  const { name, by, of, onReject } = options
  const what = `hoppingWindow '${name}'`
  const sizeMs = wholeMs(options.sizeMs, `${what}: sizeMs`, 1)
  const hopMs = wholeMs(options.hopMs, `${what}: hopMs`, 1)
  const allowedLatenessMs = wholeMs(options.allowedLatenessMs ?? 0, `${what}: allowedLatenessMs`, 0)
  if (hopMs > sizeMs) {
    throw new ConfigurationError(
      `${what}: hopMs must be at most sizeMs, or there would be no window for what falls between; got ${options.hopMs} and ${options.sizeMs}.`,
    )
  }
  const hops = { sizeMs, hopMs }
  const lengthMs = paneMs(hops)
  if (sizeMs / lengthMs > mostPanes) {
    throw new ConfigurationError(
      `${what}: a window would have ${sizeMs / lengthMs} panes of ${lengthMs} ms, the longest time that divides sizeMs and hopMs, and at most ${mostPanes} are held: ` +
        'take a hopMs that is longer, or that divides sizeMs.',
    )
  }
  const spec = { name, shape: { sizeMs, hopMs }, needsMerge: true, takesLent: true, onReject }
  return stateful<T, WindowElement<T>>(spec, (restored, out) => {
    const saved = restored.keyed<number>(wholeNumber, 'panes')
    const revisions = restored.keyed<number>(wholeNumber, 'revisions')
    const panes = new OpenPanes(name, hops)
    const lent = new LentInWindow<T>()
    /** Ends of windows, whoever they are of: one time serves all keys. */
    const firing = new TimerQueue<number>()
    const ending = new TimerQueue<number>()
    const leaving = new TimerQueue<PaneRow>()
    const lateness = new Lateness(allowedLatenessMs, restored)

    /** The first pane of its time is there: its windows will fire, whoever else gets values in it. */
    function open(row: PaneRow, watermark: number): void {
      leaving.add(row.lastEnd - 1 + allowedLatenessMs, row)
      for (const start of startsOver(row.start, hops)) {
        const last = start + sizeMs - 1
        if (lateness.isOver(last, watermark)) continue
        if (watermark < last) firing.add(last, start)
        if (allowedLatenessMs > 0) ending.add(last + allowedLatenessMs, start)
      }
      out.wakeAt(nextDue())
    }

    const nextDue = () => Math.min(firing.nextDue, ending.nextDue, leaving.nextDue)

    function fire(window: Window, own: readonly Window[]): void {
      const revision = allowedLatenessMs === 0 ? 1 : (revisions.get(window.id) ?? 0) + 1
      if (allowedLatenessMs > 0) revisions.set(window.id, revision)
      out.emitAt(window.end - 1, { kind: 'fired', window, revision, panes: own })
    }

    /** Fires the windows that begin at `start`, by key. */
    function fireAll(start: number): void {
      const ofKeys = panes.inWindow(start)
      for (const key of [...ofKeys.keys()].sort()) fire(windowAt(name, key, start, hops), ofKeys.get(key) as Window[])
    }

    function endAll(start: number): void {
      for (const key of panes.inWindow(start).keys()) revisions.delete(windowId(key, start))
    }

    function leave(rows: readonly PaneRow[]): void {
      const left = rows.flatMap((row) => panes.take(row).map((window) => ({ window, at: row.lastEnd - 1 })))
      for (const { window, at } of left.sort(byKey)) {
        saved.delete(window.id)
        out.emitAt(at, { kind: 'over', window })
      }
    }

    /** Fires again what has fired, and says so where the value has come too late for some of its windows. */
    function correct({ key, start }: Window, at: number, watermark: number): void {
      const starts = startsOver(start, hops)
      let missed = 0
      for (const one of starts) {
        const last = one + sizeMs - 1
        if (lateness.isOver(last, watermark)) missed += 1
        else if (last <= watermark) fire(windowAt(name, key, one, hops), panes.ofKey(key, one))
      }
      if (missed === 0) return
      out.reject(
        partlyLate,
        `${name}: event time ${at} of ${key} is late for ${missed} of its ${starts.length} windows, the watermark is ${watermark}; it has entered the others, so it must not be sent again`,
      )
    }

    out.wakeAt(Number.POSITIVE_INFINITY)
    for (const [id, start] of saved.entries()) {
      const row = panes.row(start / lengthMs)
      panes.add(row, keyIn(id))
      if (row.panes.size === 1) open(row, restored.watermark)
    }
    // A shorter lateness than before has left out windows that had fired.
    for (const [id] of [...revisions.entries()]) {
      const start = Number(id.slice(id.lastIndexOf('@') + 1))
      const isOpen =
        !lateness.isOver(start + sizeMs - 1, restored.watermark) && panes.ofKey(keyIn(id), start).length > 0
      if (!isOpen) revisions.delete(id)
    }

    return {
      onValue(value) {
        const at = of === undefined ? out.valueTime() : of(value)
        if (!isEventMs(at)) {
          refusePromise(`${name}: of`, at)
          out.reject('no-event-time', `${name}: ${notEventMs(at)}`)
          return
        }
        const key = keyOf(by, value, name)
        const { watermark } = out
        const row = panes.row(Math.floor(at / lengthMs))
        const isLate = watermark >= row.firstEnd - 1
        if (isLate && lateness.isOver(row.lastEnd - 1, watermark)) {
          out.reject(
            'late',
            `${name}: event time ${at} of ${key} is late: its last window ended at ${row.lastEnd}, the watermark is ${watermark}`,
          )
          return
        }
        let pane = row.panes.get(key)
        if (pane === undefined) {
          pane = panes.add(row, key)
          saved.set(pane.id, pane.start)
          if (row.panes.size === 1) open(row, watermark)
        }
        out.emit(lent.inWindow(pane, value))
        if (isLate) correct(pane, at, watermark)
      },
      onWatermark(watermark) {
        for (let due = firing.take(watermark); due !== undefined; due = firing.take(watermark)) {
          fireAll(due.items[0] as number)
        }
        for (let due = ending.take(watermark); due !== undefined; due = ending.take(watermark)) {
          endAll(due.items[0] as number)
        }
        for (let due = leaving.take(watermark); due !== undefined; due = leaving.take(watermark)) leave(due.items)
        out.wakeAt(nextDue())
      },
      snapshot: () => lateness.snapshot(),
      openUntil: () => {
        let last: number | undefined
        for (const { time } of firing.waiting()) if (last === undefined || time > last) last = time
        return last
      },
    }
  })
}

/** The key in an id of a pane or a window. */
function keyIn(id: string): string {
  return id.slice(0, id.lastIndexOf('@'))
}

/** Panes by their ids, which end in their starts, and how often windows have fired. */
const wholeNumber: StateCodec<number> = { encode: (value) => value, decode: (saved) => saved as number }

function byKey(a: { readonly window: Window }, b: { readonly window: Window }): number {
  return a.window.key < b.window.key ? -1 : a.window.key > b.window.key ? 1 : 0
}
