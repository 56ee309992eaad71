import type { OperatorFunction } from 'rxjs'
import { ConfigurationError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { KeyedEntry, KeyedState, StateCodec } from '../runtime/keyedState.ts'
import type { OperatorSpec } from '../runtime/operator.ts'
import { stateful } from '../runtime/stateful.ts'
import { foldedAs, type Window, type WindowElement, windowId } from './window.ts'

/** How a result came about. */
export interface Fired {
  /** False for a provisional result, made at a checkpoint cut of the values so far. */
  readonly isClosed: boolean
  /** 0 while provisional, 1 at the first fire, one more with each correction. */
  readonly revision: number
}

/** What to compute over a window. */
export interface Fold<T, A, R> {
  create(first: T): A
  /** The accumulator with the value in it, the first value included: a new one, or the same one changed. */
  add(accumulator: A, value: T, window: Window): A
  /** Must not hand out the accumulator itself. `previews` are provisional values that did not enter it. */
  result(accumulator: A | undefined, window: Window, fired: Fired, previews: readonly T[]): R
  /** Whether a preview and a later preview or value stand for the same thing, so that the later one takes its place. */
  isSame?(preview: T, later: T): boolean
  readonly state: StateCodec<A>
}

interface Held<A> {
  readonly window: Window
  /** The fold that keeps it. */
  readonly keeper: object
  accumulator: A
  hasFired: boolean
  /** False while a provisional result is due. */
  isShown: boolean
}

/** A window of `tumblingWindow`, at which one fold leaves its entry instead of looking it up for every value. */
interface RememberingWindow extends Window {
  [foldedAs]?: KeyedEntry<{ readonly keeper: object }> | null
}

/** The newest previews of a window: two shorter windows may be open in it at a time. Not saved; after a restore they come again. */
interface Previews<T> {
  readonly window: Window
  values: T[]
  isShown: boolean
}

const noPreviews: readonly never[] = []

export interface FoldOptions {
  readonly spec: OperatorSpec
  /** Least processing time between two provisional results; undefined for none. */
  readonly provisionalEveryMs: number | undefined
}

/**
 * Folds the values of each window and emits the result whenever the window fires: the mechanics behind `aggregateWindow`, `ohlcv` and `rollup`.
 *
 * Keeps one accumulator a window until the window is over. With `provisionalEveryMs`, a cut emits a provisional result for each window that changed since
 * the last one; at a final cut whatever the time. Nothing is lost over a restore: every window then counts as changed.
 */
export function foldWindows<T, A, R>(options: FoldOptions, fold: Fold<T, A, R>): OperatorFunction<WindowElement<T>, R> {
  const { spec, provisionalEveryMs } = options
  if (provisionalEveryMs !== undefined && !(provisionalEveryMs >= 0)) {
    throw new ConfigurationError(`${spec.name}: provisionalEveryMs must not be negative, got ${provisionalEveryMs}`)
  }
  return stateful<WindowElement<T>, R>(spec, (restored, out) => {
    const keeper = {}
    const state: KeyedState<Held<A>> = restored.keyed(heldCodec(fold.state, keeper))
    const previews = new Map<string, Previews<T>>()
    const isSame = fold.isSame ?? (() => true)
    const unshown: Held<A>[] = []
    for (const [, held] of state.entries()) if (!held.hasFired) unshown.push(held)
    let shownAt = Number.NEGATIVE_INFINITY

    /** Another fold may share the stream of windows, and a window may come from elsewhere; then the entry is found by id. */
    function find(window: RememberingWindow): KeyedEntry<Held<A>> | undefined {
      const known = window[foldedAs]
      if (known?.value.keeper === keeper && !known.isDeleted) return known as KeyedEntry<Held<A>>
      const entry = state.entry(window.id)
      if (entry !== undefined && known === null) window[foldedAs] = entry
      return entry
    }

    function add(window: Window, value: T): void {
      const entry =
        find(window) ??
        state.set(window.id, { window, keeper, accumulator: fold.create(value), hasFired: false, isShown: true })
      const held = state.touch(entry)
      held.accumulator = fold.add(held.accumulator, value, window)
      if (held.isShown && !held.hasFired) {
        held.isShown = false
        if (provisionalEveryMs !== undefined) unshown.push(held)
      }
    }

    function preview(window: Window, value: T): void {
      const known = previews.get(window.id)
      if (known === undefined) previews.set(window.id, { window, values: [value], isShown: false })
      else {
        known.values = known.values.filter((older) => !isSame(older, value))
        known.values.push(value)
        known.isShown = false
      }
    }

    /** The value itself has come, so what stood for it goes. */
    function forgetPreview(window: Window, value: T): void {
      const known = previews.get(window.id)
      if (known === undefined) return
      known.values = known.values.filter((older) => !isSame(older, value))
      if (known.values.length === 0) previews.delete(window.id)
    }

    function show(window: Window, accumulator: A | undefined, values: readonly T[]): void {
      const result = fold.result(accumulator, window, { isClosed: false, revision: 0 }, values)
      out.emitAt(window.end - 1, result)
    }

    return {
      onValue(element) {
        const { window } = element
        if (element.closed === false) {
          if (element.isProvisional) preview(window, element.value)
          else {
            add(window, element.value)
            if (previews.size > 0) forgetPreview(window, element.value)
          }
        } else if (element.closed === true) {
          const entry = find(window)
          if (entry === undefined) return
          const held = state.touch(entry)
          held.hasFired = true
          held.isShown = true
          previews.delete(window.id)
          out.emit(fold.result(held.accumulator, window, { isClosed: true, revision: element.revision }, noPreviews))
        } else {
          state.delete(window.id)
          previews.delete(window.id)
        }
      },
      onCut(cut) {
        if (provisionalEveryMs === undefined || (unshown.length === 0 && previews.size === 0)) return
        if (!cut.isFinal && cut.now - shownAt < provisionalEveryMs) return
        shownAt = cut.now
        for (const held of unshown) {
          if (held.isShown) continue
          held.isShown = true
          const expected = previews.get(held.window.id)
          if (expected === undefined) show(held.window, held.accumulator, noPreviews)
          else expected.isShown = false
        }
        unshown.length = 0
        for (const [id, expected] of previews) {
          if (expected.isShown) continue
          expected.isShown = true
          show(expected.window, state.get(id)?.accumulator, expected.values)
        }
      },
    }
  })
}

type SavedHeld = readonly [name: string, key: string, start: number, end: number, hasFired: boolean, accumulator: Json]

function heldCodec<A>(codec: StateCodec<A>, keeper: object): StateCodec<Held<A>> {
  return {
    encode: ({ window, accumulator, hasFired }) => [
      window.name,
      window.key,
      window.start,
      window.end,
      hasFired,
      codec.encode(accumulator),
    ],
    decode: (saved) => {
      const [name, key, start, end, hasFired, accumulator] = saved as unknown as SavedHeld
      const window = { name, key, start, end, id: windowId(key, start) }
      return { window, keeper, accumulator: codec.decode(accumulator), hasFired, isShown: hasFired }
    },
  }
}
