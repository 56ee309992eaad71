import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import { partlyLate } from '../runtime/deadLetters.ts'
import type { Duration } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { StateCodec } from '../runtime/keyedState.ts'
import type { OperatorSpec } from '../runtime/operator.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { stateful } from '../runtime/stateful.ts'
import { TimerQueue } from '../runtime/timerQueue.ts'
import { keyOf } from './keyOf.ts'
import { Lateness } from './lateness.ts'
import { type NumberedWindow, OpenWindows } from './openWindows.ts'
import { paneAt, paneMs, startsOver, windowAt, windowsOver } from './panes.ts'
import { wholeMs } from './wholeMs.ts'
import type { Window, WindowElement } from './window.ts'

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

/** A pane that has values. */
interface Pane extends NumberedWindow {
  /** The end of the first of its windows, ms UTC. */
  readonly firstEnd: number
  readonly lastEnd: number
}

/** A window that has values and is not over. */
interface OverlappingWindow {
  readonly window: Window
  /** Those that have values, in the order of coming. */
  readonly panes: Window[]
  /** 0 until it fires. */
  revision: number
}

/**
 * Puts each value into every window `[start, end)` of its key that its event time falls in, start being a multiple of `hopMs`: windows that overlap where `hopMs` is less than `sizeMs`.
 *
 * A value goes into one pane, whose length is the longest that divides both, and a window that fires is made of its panes: so it costs the same however many windows share it. The fold
 * below needs `merge`. A window fires when the watermark reaches `end - 1`, if it has a value; those that are due together by end, then by key. Each window decides for itself
 * whether a value is late: one that all of its windows are over for is set aside as `late`; one that only some are over for enters the others and is told as `partly-late`, a letter
 * that must not be redriven, for the value would count twice.
 * Keeps one small entry a pane, until its last window is over, and one a window that has fired while it may be corrected: at most `(sizeMs + allowedLatenessMs) / pane` panes a key.
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
  const spec = { name, shape: { sizeMs, hopMs }, needsMerge: true, onReject }
  return stateful<T, WindowElement<T>>(spec, (restored, out) => {
    const saved = restored.keyed<number>(wholeNumber, 'panes')
    const revisions = restored.keyed<number>(wholeNumber, 'revisions')
    const panes = new OpenWindows<Pane>()
    /** By key and start: many panes ask for them, so no id is made to find one. */
    const windows = new Map<string, Map<number, OverlappingWindow>>()
    const firing = new TimerQueue<OverlappingWindow>()
    const ending = new TimerQueue<OverlappingWindow>()
    const leaving = new TimerQueue<Pane>()
    const lateness = new Lateness(allowedLatenessMs, restored)

    function keep(pane: Pane, watermark: number): void {
      panes.add(pane)
      leaving.add(pane.lastEnd - 1 + allowedLatenessMs, pane)
      const { key } = pane.window
      const ofKey = windows.get(key) ?? new Map<number, OverlappingWindow>()
      for (const start of startsOver(pane.window.start, hops)) {
        const last = start + sizeMs - 1
        if (lateness.isOver(last, watermark)) continue
        const known = ofKey.get(start)
        if (known !== undefined) {
          known.panes.push(pane.window)
          continue
        }
        const window = windowAt(name, key, start, hops)
        const one = { window, panes: [pane.window], revision: revisions.get(window.id) ?? 0 }
        if (ofKey.size === 0) windows.set(key, ofKey)
        ofKey.set(start, one)
        if (watermark < last) firing.add(last, one)
        ending.add(last + allowedLatenessMs, one)
      }
      out.wakeAt(Math.min(firing.nextDue, ending.nextDue, leaving.nextDue))
    }

    function fire(one: OverlappingWindow): void {
      const { window } = one
      one.revision += 1
      if (allowedLatenessMs > 0) revisions.set(window.id, one.revision)
      const panes = one.panes.toSorted((a, b) => a.start - b.start)
      out.emitAt(window.end - 1, { kind: 'fired', window, revision: one.revision, panes })
    }

    function end({ window }: OverlappingWindow): void {
      const ofKey = windows.get(window.key)
      ofKey?.delete(window.start)
      if (ofKey?.size === 0) windows.delete(window.key)
      revisions.delete(window.id)
    }

    function leave(pane: Pane): void {
      panes.delete(pane)
      saved.delete(pane.window.id)
      out.emitAt(pane.lastEnd - 1, { kind: 'over', window: pane.window })
    }

    /** Fires again what has fired, and says so where the value has come too late for some of its windows. */
    function correct(pane: Pane, at: number, watermark: number): void {
      const { key } = pane.window
      const over = windowsOver(pane.window, hops)
      for (const { start, end } of over) {
        const one = windows.get(key)?.get(start)
        if (one !== undefined && end - 1 <= watermark) fire(one)
      }
      const missed = over.filter(({ end }) => lateness.isOver(end - 1, watermark)).length
      if (missed === 0) return
      out.reject(
        partlyLate,
        `${name}: event time ${at} of ${key} is late for ${missed} of its ${over.length} windows, the watermark is ${watermark}; it has entered the others, so it must not be sent again`,
      )
    }

    out.wakeAt(Number.POSITIVE_INFINITY)
    for (const [id, start] of saved.entries()) {
      keep(paneFrom(keyIn(id), start), restored.watermark)
    }
    // A shorter lateness than before has left out windows that had fired.
    for (const [id] of [...revisions.entries()]) {
      if (windows.get(keyIn(id))?.has(Number(id.slice(id.lastIndexOf('@') + 1))) !== true) revisions.delete(id)
    }

    function paneFrom(key: string, start: number): Pane {
      const starts = startsOver(start, hops)
      return {
        window: paneAt(name, key, start, lengthMs, hops),
        ordinal: start / lengthMs,
        firstEnd: (starts[0] as number) + sizeMs,
        lastEnd: (starts.at(-1) as number) + sizeMs,
      }
    }

    return {
      onValue(value) {
        const at = of === undefined ? out.valueTime() : of(value)
        if (!Number.isSafeInteger(at)) {
          refusePromise(`${name}: of`, at)
          out.reject('no-event-time', `${name}: its event time is ${at}, not a whole number of ms`)
          return
        }
        const key = keyOf(by, value, name)
        const { watermark } = out
        const ordinal = Math.floor(at / lengthMs)
        const known = panes.find(key, ordinal)
        const pane = known ?? paneFrom(key, ordinal * lengthMs)
        if (watermark >= pane.firstEnd - 1 && lateness.isOver(pane.lastEnd - 1, watermark)) {
          out.reject(
            'late',
            `${name}: event time ${at} of ${key} is late: its last window ended at ${pane.lastEnd}, the watermark is ${watermark}`,
          )
          return
        }
        if (known === undefined) {
          saved.set(pane.window.id, pane.window.start)
          keep(pane, watermark)
        }
        out.emit({ kind: 'value', window: pane.window, value, isProvisional: false })
        if (watermark >= pane.firstEnd - 1) correct(pane, at, watermark)
      },
      onWatermark(watermark) {
        for (let due = firing.take(watermark); due !== undefined; due = firing.take(watermark)) {
          for (const one of due.items.sort(byKey)) if (one.revision === 0) fire(one)
        }
        for (let due = ending.take(watermark); due !== undefined; due = ending.take(watermark)) due.items.forEach(end)
        for (let due = leaving.take(watermark); due !== undefined; due = leaving.take(watermark)) {
          for (const pane of due.items.sort(byKey)) leave(pane)
        }
        out.wakeAt(Math.min(firing.nextDue, ending.nextDue, leaving.nextDue))
      },
      snapshot: () => lateness.snapshot(),
      openUntil: () => {
        let last: number | undefined
        for (const { time, items } of firing.waiting()) {
          if ((last === undefined || time > last) && items.some(({ revision }) => revision === 0)) last = time
        }
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
