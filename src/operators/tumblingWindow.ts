import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { spanning } from '../runtime/operator/spanning.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { kept } from '../runtime/spans/lent.ts'
import { type Lending, Span, type SpanTime } from '../runtime/spans/span.ts'
import { SpanFlags, SpanNumbers } from '../runtime/spans/spanColumns.ts'
import { SpanKeys } from '../runtime/spans/spanKeys.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import type { SavedOperator } from '../runtime/state/savedState.ts'
import { elsewhereReason } from '../runtime/store/foreignRows.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import { isEventMs, notEventMs } from './eventMs.ts'
import { Hole, OpenHoles } from './holes.ts'
import { keyOf } from './keyOf.ts'
import { Lateness } from './lateness.ts'
import { LentInWindow } from './lentInWindow.ts'
import { type OpenWindow, OpenWindows } from './openWindows.ts'
import { QuietWindows } from './quietWindows.ts'
import { foldedAs, type WindowElement, windowId } from './window.ts'
import { WindowPlaces } from './windowPlaces.ts'

/** How long the windows of `tumblingWindow` are, whose they are, and how long each stays open for corrections. */
export interface TumblingWindowOptions<T> {
  /** Unique in a pipeline. */
  readonly name: string
  /** Length of a window: ms, or text such as `'5m'`. */
  readonly sizeMs: Duration
  /** Each key has windows of its own. */
  readonly by: (value: T) => string
  /** Event time of a value, ms UTC; that of the `eventTime` above if left out, and for a window's result the window's last ms. */
  readonly of?: (value: T) => number
  /**
   * How long (ms, or text such as `'30s'`) a window that has fired still accepts values, each of which fires it again with a higher revision. 0 if left out. May be changed between
   * two starts; windows that are over by then stay over.
   */
  readonly allowedLatenessMs?: Duration
  /**
   * True where a `Hole` may come among the values: the windows of its key that it touches, and that are not over by then, take values as if no lateness were over, until it is told over.
   * Each such value fires its window again with a higher revision.
   */
  readonly takesHoles?: boolean
  /** Marks previews: passed on with their window, but they open no window and are never late. */
  readonly isProvisional?: (value: T) => boolean
  /** Outside a task: receives late values. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<TumblingWindowOptions<never>> = {
  name: needed.text,
  sizeMs: needed.duration,
  by: needed.callback,
  of: optional.callback,
  allowedLatenessMs: optional.duration,
  isProvisional: optional.callback,
  takesHoles: optional.flag,
  onReject: optional.anyFunction,
}

/**
 * Puts each value into the window `[start, end)` of its key that its event time falls in, start being a multiple of `sizeMs`.
 *
 * A window fires when the watermark reaches `end - 1`; those that are due together fire by end, then by key. A value whose window is over, allowed lateness
 * included, is set aside as `late`. Keeps one small entry a window from its first value until the watermark passes
 * `end - 1 + allowedLatenessMs`; the values themselves are not kept.
 * Entries are part of the checkpoint, so after a crash a window fires as often as without it, with the same revisions.
 * A value whose event time is not a whole number is set aside as `no-event-time`. Where the row that is made of a window turns out to be another task's, values that
 * come for the window are set aside as `key-elsewhere`.
 * @throws ConfigurationError on options out of range; OperatorError where no `eventTime` stands above
 */
export function tumblingWindow<T>(
  options: TumblingWindowOptions<T> & { readonly takesHoles: true },
): OperatorFunction<T | Hole, WindowElement<T>>
export function tumblingWindow<T>(options: TumblingWindowOptions<T>): OperatorFunction<T, WindowElement<T>>
export function tumblingWindow<T>(options: TumblingWindowOptions<T>): OperatorFunction<T | Hole, WindowElement<T>> {
  checkOptions('tumblingWindow', options, rules)
  const { name, by, of, isProvisional } = options
  const what = `tumblingWindow '${name}'`
  const sizeMs = durationMs(options.sizeMs, `${what}: sizeMs`)
  const allowedLatenessMs = durationMs(options.allowedLatenessMs ?? 0, `${what}: allowedLatenessMs`)
  if (!Number.isSafeInteger(sizeMs) || sizeMs <= 0) {
    throw new ConfigurationError(`${what}: sizeMs must be a positive integer, got ${options.sizeMs}.`)
  }
  if (!Number.isSafeInteger(allowedLatenessMs) || allowedLatenessMs < 0) {
    throw new ConfigurationError(
      `${what}: allowedLatenessMs must be an integer from 0, got ${options.allowedLatenessMs}.`,
    )
  }
  const spec = {
    name,
    version: 2,
    shape: { sizeMs },
    migrate: oneEntryPerWindow(sizeMs),
    takesUnsettled: isProvisional ?? false,
    takesLent: true,
    onReject: options.onReject,
  }
  return spanning<T | Hole, WindowElement<T>>(spec, (restored, out) => {
    const saved = restored.keyed<OpenWindow>(windowState(name, sizeMs))
    const windows = new OpenWindows()
    const places = new WindowPlaces()
    const lent = new LentInWindow<T>(places)
    const firing = new TimerQueue<OpenWindow>()
    /** Those that have fired; as they fire by key, there is hardly anything left to sort. */
    const ending = new TimerQueue<OpenWindow>()

    function keep(one: OpenWindow): void {
      windows.add(one)
      if (one.place < 0) one.place = places.take(one.window)
      if (one.revision > 0) endLater(one)
      else {
        const last = one.window.end - 1
        firing.add(last, one)
        out.wakeAt(last)
      }
    }

    function endLater(one: OpenWindow): void {
      const over = one.window.end - 1 + allowedLatenessMs
      ending.add(over, one)
      out.wakeAt(over)
    }

    function fire(one: OpenWindow): void {
      if (one.revision === 0) endLater(one)
      one.revision += 1
      quiet.clear(one.ordinal)
      if (one.entry !== null) saved.touch(one.entry)
      out.emitAt(one.window.end - 1, { kind: 'fired', window: one.window, revision: one.revision })
    }

    function end(one: OpenWindow): void {
      windows.delete(one)
      saved.delete(one.window.id)
      places.release(one.place)
      out.emitAt(one.window.end - 1, { kind: 'over', window: one.window })
    }

    /** A row is another task's until a record that was set aside for it comes again: then the store is asked anew. */
    function isElsewhere(one: OpenWindow): boolean {
      if (one.elsewhere === null) return false
      if (!out.isSecondTime || out.whyElsewhere(one.window.id) !== undefined) return true
      one.elsewhere = null
      if (one.entry !== null) saved.touch(one.entry)
      return false
    }

    /** A window opens for previews where its row is another task's, so that this is remembered. */
    function preview(shown: OpenWindow, value: T): void {
      const { window, ordinal } = shown
      const known = windows.find(window.key, ordinal)
      shown.elsewhere = known === undefined ? (out.whyElsewhere(window.id) ?? null) : known.elsewhere
      if (shown.elsewhere === null) out.emit({ kind: 'value', window, value: kept(value), isProvisional: true })
      else if (known === undefined) open(shown)
    }

    function open(one: OpenWindow): void {
      one.entry = saved.set(one.window.id, one)
      keep(one)
    }

    const lateness = new Lateness(allowedLatenessMs, restored)
    const holes = options.takesHoles === true ? new OpenHoles(restored) : null

    function isHeld({ window }: OpenWindow): boolean {
      return holes?.touch(window.key, window.start, window.end) === true
    }

    /** One that is over with its hole may wait for a time still. */
    function hasEnded({ entry }: OpenWindow): boolean {
      return entry?.isDeleted === true
    }

    /** Windows that have waited for a hole alone are over with it. */
    function endHeldBy(kept: Hole | undefined): void {
      if (kept === undefined) return
      const touched: OpenWindow[] = []
      for (const [, one] of saved.entries()) {
        const { key, start, end: until } = one.window
        if (key === kept.key && kept.from < until && kept.to >= start) touched.push(one)
      }
      touched.sort((a, b) => a.window.end - b.window.end)
      for (const one of touched) if (!isHeld(one) && lateness.isOver(one.window.end - 1, out.watermark)) end(one)
    }

    function onHole(hole: Hole): void {
      const last = lateness.overUntil(out.watermark)
      // One that is told again may reach less far than before.
      endHeldBy(
        hole.isOver
          ? holes?.close(hole)
          : holes?.open(hole, Number.isFinite(last) ? Math.floor((last + 1) / sizeMs) * sizeMs : hole.from),
      )
    }

    out.wakeAt(Number.POSITIVE_INFINITY)
    for (const [id, one] of saved.entries()) {
      one.entry = saved.entry(id) ?? null
      keep(one)
    }

    function put(value: T): void {
      const at = of === undefined ? out.valueTime() : of(value)
      if (!isEventMs(at)) {
        refusePromise(`${name}: of`, at)
        out.reject('no-event-time', `${name}: ${notEventMs(at)}`)
        return
      }
      const key = keyOf(by, value, name)
      // Exact for every safe integer.
      const ordinal = Math.floor(at / sizeMs)
      const last = (ordinal + 1) * sizeMs - 1
      const { watermark } = out
      const isPreview = isProvisional?.(value)
      if (isPreview !== undefined) refusePromise(`${name}: isProvisional`, isPreview)
      if (isPreview === true) {
        if (watermark < last) preview(newWindow(name, key, ordinal, sizeMs), value)
        return
      }
      let one = windows.find(key, ordinal)
      if (one === undefined) {
        if (lateness.isOver(last, watermark) && holes?.touch(key, last + 1 - sizeMs, last + 1) !== true) {
          out.reject(
            'late',
            `${name}: event time ${at} of ${key} is late: its window ended at ${last + 1}, the watermark is ${watermark}`,
          )
          return
        }
        one = newWindow(name, key, ordinal, sizeMs)
        one.elsewhere = out.whyElsewhere(one.window.id) ?? null
        open(one)
      }
      if (isElsewhere(one)) {
        out.reject(elsewhereReason, `${name}: ${key}: ${one.elsewhere}`)
        return
      }
      out.emit(lent.inWindow(one.window, value))
      if (watermark >= last) fire(one)
    }

    const placed = new Span<WindowElement<T>>()
    // A hole is never lent.
    const keys = new SpanKeys(by as (value: T | Hole) => string)
    const times = of === undefined ? null : new SpanNumbers(of as (value: T | Hole) => number)
    const previews = isProvisional === undefined ? null : new SpanFlags(isProvisional as (value: T | Hole) => boolean)
    const quiet = new QuietWindows()
    /** Those that values of the span open, by id, with the first record of each. */
    const opening = new Map<string, { readonly one: OpenWindow; readonly first: number }>()

    /** The window that opens with a value and is not due by the watermark that the span comes to; undefined where that is not so. */
    function opens(key: string, ordinal: number, watermark: number, record: number): OpenWindow | undefined {
      const last = (ordinal + 1) * sizeMs - 1
      if (last <= watermark || lateness.isOver(last, watermark)) return undefined
      const id = windowId(key, ordinal * sizeMs)
      if (out.whyElsewhere(id) !== undefined) return undefined
      const known = opening.get(id)
      if (known !== undefined) return known.one
      const one = newWindow(name, key, ordinal, sizeMs, id)
      one.place = places.take(one.window)
      opening.set(id, { one, first: record })
      return one
    }

    /** Gives back the places of those that were looked at and have not opened. */
    function forgetOpening(): void {
      for (const { one } of opening.values()) if (one.entry === null) places.release(one.place)
      opening.clear()
    }

    /** The place of the window that takes a value of the record's key and has nothing to say about it; below 0 where there is none. */
    function placeOf(record: number, ordinal: number, watermark: number): number {
      const key = keys.keyAt(record)
      const one = windows.find(key, ordinal) ?? opens(key, ordinal, watermark, record)
      // One that has not fired yet is due later than all that comes with the span.
      if (one === undefined || one.revision !== 0 || one.elsewhere !== null) return -1
      if (one.entry !== null) quiet.note(keys.numbers[record] as number, ordinal, one.place)
      return one.place
    }

    /** Puts values into windows up to the first that would do more than that; gives how many. */
    function putQuiet({ records }: Span<unknown>, count: number, at: Float64Array, watermark: number): number {
      quiet.under(keys.numbering)
      const { numbers } = keys
      const { placeOf: into } = lent
      let ordinal = 0
      let start = Number.POSITIVE_INFINITY
      let end = Number.POSITIVE_INFINITY
      for (let placed = 0; placed < count; placed += 1) {
        const record = records[placed] as number
        const time = at[record] as number
        if (previews?.at(record) === true) return placed
        // What `of` gives is none yet of which `eventTime` has made sure: between whole times of a window there are others.
        if (times !== null && !isEventMs(time)) return placed
        if (time < start || time >= end) {
          ordinal = Math.floor(time / sizeMs)
          start = ordinal * sizeMs
          end = start + sizeMs
        }
        const known = quiet.placeOf(numbers[record] as number, ordinal)
        const place = known < 0 ? placeOf(record, ordinal, watermark) : known
        if (place < 0) return placed
        into[record] = place
      }
      return count
    }

    return {
      onValue(value) {
        if (holes !== null && value instanceof Hole) return onHole(value)
        put(value as T)
      },
      look(span, to) {
        const { time } = span
        placed.begin(span)
        forgetOpening()
        placed.records = span.records
        placed.value = lent.over(span.value as unknown as Lending<T>)
        let count = time === null ? 0 : span.countBefore(to)
        if (count > 0) {
          count = keys.read(span, count)
          if (times !== null) count = times.read(span, count)
          if (previews !== null) count = previews.read(span, count)
          placed.count = putQuiet(span, count, (times ?? (time as SpanTime)).of, time?.watermark as number)
        }
        return out.lookOn(placed, span.recordBehind(placed.count, to))
      },
      take(_span, to) {
        for (const { one, first } of opening.values()) if (first < to) open(one)
        out.takeOn(placed, to)
      },
      onWatermark(watermark) {
        for (let due = firing.take(watermark); due !== undefined; due = firing.take(watermark)) {
          for (const one of due.items.sort(byKey)) if (one.revision === 0 && !hasEnded(one)) fire(one)
        }
        for (let due = ending.take(watermark); due !== undefined; due = ending.take(watermark)) {
          for (const one of due.items.sort(byKey)) if (!hasEnded(one) && !isHeld(one)) end(one)
        }
        out.wakeAt(Math.min(firing.nextDue, ending.nextDue))
      },
      onElsewhere({ name: of, id }, detail) {
        const entry = of === name ? saved.entry(id) : undefined
        if (entry === undefined) return
        saved.touch(entry).elsewhere = detail
        quiet.clear(entry.value.ordinal)
      },
      snapshot: () => lateness.snapshot(),
      openUntil: () => {
        let last: number | undefined
        for (const { time, items } of firing.waiting()) {
          const isLater = last === undefined || time > last
          // One that fired on arrival, late but in time for a correction, waits for nothing.
          if (isLater && items.some(({ revision }) => revision === 0)) last = time
        }
        return last
      },
    }
  })
}

function newWindow(
  name: string,
  key: string,
  ordinal: number,
  sizeMs: number,
  id = windowId(key, ordinal * sizeMs),
): OpenWindow {
  const start = ordinal * sizeMs
  const window = { [foldedAs]: null, name, key, start, end: start + sizeMs, id }
  return { window, place: -1, ordinal, revision: 0, elsewhere: null, entry: null }
}

type SavedWindow = readonly [key: string, start: number, revision: number, elsewhere?: string]

/** Each window is saved by itself, so that a checkpoint holds those that changed and not all of their key. */
function windowState(name: string, sizeMs: number): StateCodec<OpenWindow> {
  return {
    encode: ({ window, revision, elsewhere }) =>
      elsewhere === null ? [window.key, window.start, revision] : [window.key, window.start, revision, elsewhere],
    decode: (saved) => {
      const [key, start, revision, elsewhere = null] = saved as unknown as SavedWindow
      return { ...newWindow(name, key, start / sizeMs, sizeMs), revision, elsewhere }
    },
  }
}

/** Release 0.1.0 saved the windows of a key as one list, and had allowed lateness in the shape, which does not shape it. */
function oneEntryPerWindow(sizeMs: number) {
  return (saved: SavedOperator): SavedOperator => {
    const { sizeMs: savedSizeMs } = (saved.shape ?? {}) as { readonly sizeMs?: number }
    if (saved.version !== 1 || savedSizeMs !== sizeMs) return saved
    const windows = saved.keyed.flatMap(([, list]) => (list ?? []) as unknown as readonly SavedWindow[])
    const keyed = windows.map((one) => [windowId(one[0], one[1]), one as unknown as Json] as const)
    const { allowedLatenessMs = 0 } = saved.shape as { readonly allowedLatenessMs?: number }
    return { ...saved, version: 2, shape: { sizeMs }, snapshot: { allowedLatenessMs, over: null }, keyed }
  }
}

function byKey(a: OpenWindow, b: OpenWindow): number {
  return a.window.key < b.window.key ? -1 : a.window.key > b.window.key ? 1 : 0
}
