import type { OperatorFunction } from 'rxjs'
import { namedAbove } from '../runtime/graph/namedObservable.ts'
import type { Json } from '../runtime/json.ts'
import { mostAhead } from '../runtime/log/readAhead.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { spanning } from '../runtime/operator/spanning.ts'
import { resultText } from '../runtime/outlets/resultText.ts'
import { kept, place } from '../runtime/spans/lent.ts'
import type { KeyedEntry, KeyedState } from '../runtime/state/keyedState.ts'
import type { SavedOperator } from '../runtime/state/savedState.ts'
import { elsewhereReason } from '../runtime/store/foreignRows.ts'
import { type PreviewOptions, type PreviewRule, previewRule } from './earlyResults.ts'
import type { Fired, Fold, Folded, FoldRows, ValuesInRows } from './fold.ts'
import { lacksMerge, lacksWithdraw, notMerged } from './foldErrors.ts'
import { foldId, foldVersion, type Held, heldCodec, heldFor, migrated, WindowStates } from './foldState.ts'
import type { LentInWindow } from './lentInWindow.ts'
import { PaneCounts } from './paneCounts.ts'
import { panesOf, windowsOver } from './panes.ts'
import { QuietHelds } from './quietHelds.ts'
import { ResultsBefore } from './resultsBefore.ts'
import { ToldLast } from './toldLast.ts'
import { foldedAs, type Window, type WindowElement, type WindowFired, type WindowWithdrawn } from './window.ts'
import { WindowPreviews } from './windowPreviews.ts'

/** A window of `tumblingWindow`, at which one fold leaves its entry instead of looking it up for every value. */
interface RememberingWindow extends Window {
  [foldedAs]?: KeyedEntry<{ readonly keeper: object }> | null
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const noPreviews: readonly never[] = []
const noRecords = new Int32Array(0)
const soFar: Fired = { isClosed: false, revision: 0 }

export interface FoldOptions extends PreviewOptions {
  readonly name: string
  /** What the accumulators look like: a checkpoint with others is refused. */
  readonly shape?: Json
  /** Turns the accumulators of an older shape, as they were saved, into the present one. Undefined where it cannot. */
  readonly migrate?: ((accumulator: Json, shape: Json) => Json | undefined) | undefined
  /** Outside a task: receives values and windows on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

/**
 * Folds the values of each window and emits the results whenever the window fires: the mechanics behind `aggregateWindow`, `topN`, `ohlcv` and `rollup`.
 *
 * Keeps one accumulator a window until the window is over. Results of open windows are shown as the options say, each window only where it has changed. By the data, what was shown is part of
 * the checkpoint; at cuts it is not, and every window counts as changed after a restore.
 */
export function foldWindows<T, A, R>(options: FoldOptions, fold: Fold<T, A, R>): OperatorFunction<WindowElement<T>, R> {
  const { name, shape = null, onReject } = options
  const asked = previewRule(name, options)
  const migrate = (saved: SavedOperator) => migrated(saved, shape, options.migrate)
  const spec: OperatorSpec = {
    ...{ name, version: foldVersion, shape, migrate, onReject },
    // Results at a cut are provisional and carry their window's time.
    isLoose: false,
    takesUnsettled: true,
    takesLent: true,
    isUnsettled: asked.at !== 'never' || fold.withdraw !== undefined || fold.vanished !== undefined,
  }
  const folding = spanning<WindowElement<T>, R>(spec, (restored, out) => {
    const keeper = {}
    // Without a task no cut ever comes.
    const rule: PreviewRule = asked.at === 'cuts' && !out.isInTask ? { at: 'never' } : asked
    const countsValues = rule.at === 'values'
    const comparesResults = fold.vanished !== undefined
    const codec = heldCodec(fold.state, keeper, rule.at === 'time')
    const states = new WindowStates((map) => restored.keyed(codec, map), restored.maps)
    states.rename(restored.nameToday)
    const previews = new WindowPreviews<T>(fold.isSame ?? (() => true))
    /** Those that have changed since they were shown, where they are shown together. */
    const unshown: Held<A>[] = []
    if (rule.at === 'cuts' || rule.at === 'time')
      for (const held of states.values()) if (!held.isShown) unshown.push(held)
    const paneCounts = new PaneCounts((pane) => states.of(pane).get(pane.id)?.valueCount ?? 0)
    /** Of windows that are being corrected, what they were when they fired last. */
    const before = new ResultsBefore<A>()
    const toldLast = new ToldLast<A>(find, (held) => touch(states.of(held.window), held))
    let shownAt = Number.NEGATIVE_INFINITY

    /** Another fold may share the stream of windows, and a window may come from elsewhere; then the entry is found by id. */
    function find(window: RememberingWindow): Held<A> | undefined {
      const known = window[foldedAs]
      if (known?.value.keeper === keeper && !known.isDeleted) return known.value as Held<A>
      const entry = states.known(window)?.entry(window.id)
      if (entry === undefined) return undefined
      if (known === null) window[foldedAs] = entry
      entry.value.entry = entry
      return entry.value
    }

    /** Has it count as changed. */
    function touch(state: KeyedState<Held<A>>, held: Held<A>): void {
      if (held.changedIn === state.cut) return
      held.changedIn = state.cut
      state.touch(held.entry as KeyedEntry<Held<A>>)
    }

    const quiet = new QuietHelds<A>()

    /** Nothing is kept of the window from now on. */
    function drop(window: Window): void {
      const held = find(window)
      if (held === undefined) return
      quiet.forget(held)
      states.of(window).delete(window.id)
    }

    /** Nothing of the window will be asked for again. */
    function end(window: Window): void {
      const held = find(window)
      drop(window)
      if (held !== undefined) fold.rows?.release(held.accumulator)
    }

    function add(window: Window, value: T, known: Held<A> | undefined, state: KeyedState<Held<A>>): void {
      if (known === undefined) needAllFor(window)
      if (comparesResults) rememberFired(window, known)
      // Marked before: an accumulator that is changed in place and then throws is saved as it is, so that a restart changes nothing.
      if (known !== undefined) touch(state, known)
      const accumulator = fold.add(known === undefined ? fold.create(value) : known.accumulator, value, window)
      const held = known ?? heldFor(window, keeper, accumulator, true)
      if (known === undefined) state.set(window.id, held)
      else if (window.varies === true) held.window = window
      held.accumulator = accumulator
      if (held.isWithdrawn) held.isWithdrawn = false
      if (countsValues) countValue(held)
      else if (held.isShown && !held.hasFired) due(held)
    }

    /** Takes a value for good. */
    function enter(window: Window, lent: T, held = find(window), state = states.of(window)): void {
      const value = fold.takesLent === true ? lent : kept(lent)
      add(window, value, held, state)
      if (!previews.isEmpty) previews.replace(window, value)
    }

    /** What is kept for the window, and noted from now on; undefined for nothing, null where another value may do more than change that. */
    function quietHeld(place: number, window: Window): Held<A> | undefined | null {
      if (countsValues || window.varies === true || window.hops !== undefined) return null
      const held = find(window)
      if (held === undefined) return rule.at === 'time' ? null : undefined
      if (held.hasFired || held.isWithdrawn || (rule.at === 'time' && held.isShown)) return null
      quiet.note(place, held, fold.rows?.rowOf(held.accumulator) ?? 0)
      return held
    }

    /** Takes a value of a span by itself. */
    function enterAlone(element: LentInWindow<T>, record: number): void {
      element[place] = record
      const at = element.placeOf[record] as number
      try {
        enter(element.window, element.value, quiet.has(at) ? quiet.at(at) : find(element.window))
      } catch (error) {
        out.failedAt(record, error)
      }
    }

    /** How many windows were shown before the span, and have not got the first of its values yet. */
    let waiting = 0
    const inRows: Writable<ValuesInRows> = { records: noRecords, rows: new Int32Array(mostAhead), from: 0, to: 0 }

    /** Finds the rows of values, up to the first in a window for which nothing is kept; gives that one. The windows count as changed. */
    function findRows(
      { placeOf, places }: LentInWindow<T>,
      records: Int32Array,
      from: number,
      to: number,
      state: KeyedState<Held<A>>,
    ): number {
      const { rows } = inRows
      const { cut } = state
      for (let i = from; i < to; i += 1) {
        const at = placeOf[records[i] as number] as number
        if (!quiet.has(at) && quietHeld(at, places.windows[at] as Window) == null) return i
        rows[i] = quiet.rowAt(at)
        if (quiet.isFirstIn(cut, at)) touchQuiet(at, state)
      }
      return to
    }

    /** A value will be added to the window of the place. */
    function touchQuiet(at: number, state: KeyedState<Held<A>>): void {
      const held = quiet.at(at)
      touch(state, held)
      if (!held.isShown) return
      quiet.wait(at)
      waiting += 1
    }

    /** Results of windows that were shown are due from the first value on that was added. */
    function dueOfAdded({ placeOf }: LentInWindow<T>, records: Int32Array, from: number, to: number): void {
      for (let i = from; i < to && waiting > 0; i += 1) {
        const at = placeOf[records[i] as number] as number
        if (!quiet.stopsWaiting(at)) continue
        waiting -= 1
        const held = quiet.at(at)
        if (held.isShown) due(held)
      }
    }

    /** Windows of a span that were given nothing but what could not be added are asked about once more with the next one. */
    function waitNoLonger({ placeOf }: LentInWindow<T>, records: Int32Array): void {
      for (let i = 0; waiting > 0; i += 1) {
        const at = placeOf[records[i] as number] as number
        if (!quiet.stopsWaiting(at)) continue
        waiting -= 1
        quiet.forget(quiet.at(at))
      }
    }

    /** Adds values whose windows are kept; gives how far that went. */
    function addMany(
      element: LentInWindow<T>,
      records: Int32Array,
      from: number,
      to: number,
      state: KeyedState<Held<A>>,
    ): number {
      inRows.records = records
      inRows.from = from
      inRows.to = findRows(element, records, from, to, state)
      const end = from === inRows.to ? from : (fold.rows as FoldRows<T, A>).add(element.lending, inRows)
      if (waiting > 0) dueOfAdded(element, records, from, end)
      return end
    }

    /** A result of the values so far is due. */
    function due(held: Held<A>): void {
      held.isShown = false
      if (rule.at === 'never') return
      unshown.push(held)
      if (rule.at === 'time') out.wakeAt(multipleAbove(out.watermark, rule.everyMs))
    }

    function needAllFor({ hops, mayMerge, mayBeWithdrawn }: Window): void {
      if (hops !== undefined || mayMerge === true) needMerge()
      if (mayBeWithdrawn === true) needWithdraw()
    }

    function needMerge(): (earlier: A, later: A) => A {
      if (fold.merge !== undefined) return fold.merge
      throw lacksMerge(name)
    }

    function needWithdraw(): NonNullable<typeof fold.withdraw> {
      if (fold.withdraw !== undefined) return fold.withdraw
      throw lacksWithdraw(name)
    }

    /** The accumulators of these windows as one, in their order; undefined where there is none. */
    function mergedOf(windows: readonly Window[]): A | undefined {
      let merged: A | undefined
      let isFirst = true
      for (const window of windows) {
        const held = find(window)
        if (held === undefined) continue
        const { accumulator } = held
        merged = isFirst ? accumulator : needMerge()(merged as A, accumulator)
        isFirst = false
      }
      return merged
    }

    function rememberTold(now: Folded<A>, panes: readonly Window[]): void {
      const told = toldLast.of(now, panes)
      if (told !== null) before.remember(told)
    }

    /** Before a value enters: what the windows that it corrects came to. */
    function rememberFired(window: Window, held: Held<A> | undefined): void {
      const { hops } = window
      if (hops === undefined) {
        if (held?.hasFired === true) rememberTold(held, [held.window])
        return
      }
      // What was remembered for an earlier value was asked for with it, or never will be.
      before.clear()
      for (const one of windowsOver(window, hops)) {
        if (one.end - 1 > out.watermark) continue
        const own = panesOf(one, hops)
        const accumulator = mergedOf(own)
        if (accumulator !== undefined) rememberTold({ window: one, accumulator }, own)
      }
    }

    function merge(window: Window, from: readonly Window[]): void {
      let accumulator: A | undefined
      try {
        accumulator = mergedOf(from)
      } catch (error) {
        throw notMerged(name, window, error)
      }
      if (accumulator === undefined) return
      const parts = from.flatMap((one) => states.of(one).get(one.id) ?? [])
      for (const part of parts) {
        if (part.window.id !== window.id) hidePreview(part)
        else if (part.hasFired && comparesResults) rememberTold(part, [part.window])
      }
      for (const one of from) drop(one)
      for (const part of parts) part.isShown = true
      const held = heldFor(window, keeper, accumulator, true)
      held.valueCount = parts.reduce((sum, { valueCount }) => sum + valueCount, 0)
      states.of(window).set(window.id, held)
      if (rule.at !== 'values') due(held)
      else if (window.end - 1 <= out.watermark) return
      else if (passes(rule.every, Math.max(...parts.map(({ valueCount }) => valueCount)), held.valueCount)) {
        show(window, accumulator, noPreviews)
      }
    }

    /** What was shown of a window that is part of another one now would be left where it went. */
    function hidePreview({ window, accumulator, hasFired, isWithdrawn }: Held<A>): void {
      if (rule.at === 'never' || hasFired || isWithdrawn || fold.withdraw === undefined) return
      passOn(window, false, () => fold.withdraw?.(accumulator, window, soFar) ?? [])
    }

    function passes(every: number, count: number, next: number): boolean {
      return Math.floor(next / every) > Math.floor(count / every)
    }

    function countValue(held: Held<A>): void {
      held.valueCount += 1
      const { every } = rule as Extract<typeof rule, { at: 'values' }>
      const { window, accumulator, hasFired, valueCount } = held
      const { hops } = window
      if (hops === undefined) {
        // One that is over already fires with this value.
        if (!hasFired && window.end - 1 > out.watermark && valueCount % every === 0)
          show(window, accumulator, noPreviews)
        return
      }
      for (const one of windowsOver(window, hops)) {
        if (one.end - 1 > out.watermark && paneCounts.add(one, hops) % every === 0)
          show(one, mergedOf(panesOf(one, hops)), noPreviews)
      }
    }

    function show(window: Window, accumulator: A | undefined, values: readonly T[]): void {
      passOn(window, false, () => fold.results(accumulator, window, soFar, values))
    }

    /** A callback that fails on a provisional result is told when the window fires. A letter here would depend on when checkpoints fall. */
    function passOn(window: Window, isClosed: boolean, make: () => readonly R[]): void {
      let results: readonly R[]
      try {
        results = make()
      } catch (error) {
        if (isClosed) throw error
        return
      }
      out.making(window, isClosed, () => {
        for (const one of results) out.emitAt(window.end - 1, one)
      })
    }

    function showAll(): void {
      const shared = new Map<string, () => void>()
      for (const held of rule.at === 'time' ? unshown.sort(byEnd) : unshown) {
        if (held.isShown) continue
        held.isShown = true
        quiet.forget(held)
        if (rule.at === 'time') states.of(held.window).update(held.window.id)
        const { hops } = held.window
        if (hops !== undefined) {
          for (const window of windowsOver(held.window, hops)) {
            if (window.end - 1 > out.watermark)
              shared.set(foldId(window), () => show(window, mergedOf(panesOf(window, hops)), noPreviews))
          }
          continue
        }
        if (!previews.isDue(held.window)) show(held.window, held.accumulator, noPreviews)
      }
      unshown.length = 0
      for (const showWindow of shared.values()) showWindow()
    }

    /** What is kept, before it is known that the row is another task's; the records are no longer at hand. */
    function shownResult(window: Window, accumulator: A): string {
      try {
        const results = fold.results(accumulator, window, soFar, noPreviews)
        return `values folded before that come to ${results.map(resultText).join(', ')}`
      } catch (error) {
        return `what is kept cannot be shown (${String(error)})`
      }
    }

    function fire({ window, revision, panes }: WindowFired): void {
      const fired = { isClosed: true, revision }
      if (panes !== undefined) {
        const accumulator = mergedOf(panes)
        if (accumulator !== undefined) showFired(window, panes, accumulator, fired, (act) => act())
        return
      }
      const held = find(window)
      if (held === undefined) return
      touch(states.of(window), held)
      quiet.forget(held)
      held.hasFired = true
      held.isShown = true
      if (!previews.isEmpty) previews.drop(window)
      showFired(window, [window], held.accumulator, fired, (act) => out.making(window, true, act))
    }

    function showFired(
      window: Window,
      panes: readonly Window[],
      accumulator: A,
      fired: Fired,
      making: (act: () => void) => void,
    ): void {
      const told = before.take(window)
      let results: readonly R[]
      let gone: readonly R[]
      try {
        results = fold.results(accumulator, window, fired, noPreviews)
        gone = told === undefined ? noPreviews : (fold.vanished?.(told, { window, accumulator }, fired) ?? noPreviews)
      } catch (error) {
        if (comparesResults) toldLast.keep(window, panes, told ?? null)
        throw error
      }
      if (comparesResults) toldLast.forget(window, panes)
      making(() => {
        for (const one of gone) out.emit(one)
        for (const one of results) out.emit(one)
      })
    }

    function withdraw({ window, revision }: WindowWithdrawn): void {
      const held = find(window)
      if (held === undefined) return
      touch(states.of(window), held)
      quiet.forget(held)
      held.hasFired = false
      held.isWithdrawn = true
      const told = toldLast.of({ window, accumulator: held.accumulator }, [window])
      toldLast.forget(window, [window])
      if (told === null) return
      passOn(window, true, () => needWithdraw()(told.accumulator, told.window, { isClosed: true, revision }))
    }

    if (rule.at === 'time') {
      out.wakeAt(unshown.length === 0 ? Number.POSITIVE_INFINITY : multipleAbove(restored.watermark, rule.everyMs))
    }
    return {
      onValue(element) {
        const { window } = element
        if (element.kind === 'value') {
          if (element.isProvisional) previews.add(window, kept(element.value))
          else enter(window, element.value)
        } else if (element.kind === 'fired') fire(element)
        else if (element.kind === 'merged') merge(window, element.from)
        else if (element.kind === 'withdrawn') withdraw(element)
        else {
          end(window)
          before.take(window)
          if (!previews.isEmpty) previews.drop(window)
          paneCounts.forget(window)
        }
      },
      look(span, to) {
        const { placeOf, places } = span.value as unknown as LentInWindow<T>
        quiet.over(places)
        const { records } = span
        const count = span.countBefore(to)
        for (let i = 0; i < count; i += 1) {
          const record = records[i] as number
          const at = placeOf[record] as number
          if (!quiet.has(at) && quietHeld(at, places.windows[at] as Window) === null) return record
        }
        return to
      },
      take(span, to) {
        const count = span.countBefore(to)
        const element = span.value as unknown as LentInWindow<T>
        const { records } = span
        // All windows of a span are of one operator.
        const state = states.of(element.windowOf(records[0] as number))
        const goTogether = fold.rows !== undefined && previews.isEmpty
        quiet.over(element.places)
        for (let next = 0; next < count; next += 1) {
          if (goTogether) next = addMany(element, records, next, count, state)
          if (next < count) enterAlone(element, records[next] as number)
        }
        if (waiting > 0) waitNoLonger(element, records)
      },
      onElsewhere(window, detail) {
        previews.drop(window)
        const held = states.of(window).get(window.id)
        if (held === undefined) return
        held.isShown = true
        const shown = shownResult(window, held.accumulator)
        end(window)
        out.reject(elsewhereReason, `${window.name}: ${window.key}: ${detail}; ${shown}`)
      },
      onCut(cut) {
        if (rule.at !== 'cuts' || (unshown.length === 0 && previews.isEmpty)) return
        // A clock that was set back must not hold them up until it has caught up.
        const sinceMs = cut.now - shownAt
        if (!cut.isFinal && sinceMs >= 0 && sinceMs < rule.everyMs) return
        shownAt = cut.now
        showAll()
        for (const { window, values } of previews.takeDue())
          show(window, states.of(window).get(window.id)?.accumulator, values)
      },
      ...(rule.at === 'time' ? { onWatermark: showAll } : {}),
    }
  })
  return (elements) => {
    const needs = namedAbove(elements)?.needs
    if (fold.withdraw === undefined && needs?.needsWithdraw === true) throw lacksWithdraw(name)
    if (fold.merge === undefined && needs?.needsMerge === true) throw lacksMerge(name)
    return folding(elements)
  }
}

function multipleAbove(time: number, everyMs: number): number {
  return (Math.floor(time / everyMs) + 1) * everyMs
}

function byEnd({ window: a }: Held<unknown>, { window: b }: Held<unknown>): number {
  return a.end - b.end || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.start - b.start)
}
