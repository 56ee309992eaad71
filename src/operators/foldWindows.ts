import type { OperatorFunction } from 'rxjs'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { elsewhereReason } from '../runtime/foreignRows.ts'
import type { Json } from '../runtime/json.ts'
import type { KeyedEntry, KeyedState, StateCodec } from '../runtime/keyedState.ts'
import { namedAbove } from '../runtime/namedObservable.ts'
import type { OperatorSpec } from '../runtime/operator.ts'
import { resultText } from '../runtime/resultText.ts'
import type { KeyedPair, SavedOperator } from '../runtime/savedState.ts'
import { stateful } from '../runtime/stateful.ts'
import { panesOf, windowsOver } from './panes.ts'
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
  /** One accumulator of two, the earlier one first; must change neither. Needed for windows that share values and for those that become one. */
  merge?: ((earlier: A, later: A) => A) | undefined
  /** Must not hand out the accumulator itself. `previews` are provisional values that did not enter it. */
  result(accumulator: A | undefined, window: Window, fired: Fired, previews: readonly T[]): R
  /** Whether a preview and a later preview or value stand for the same thing, so that the later one takes its place. */
  isSame?(preview: T, later: T): boolean
  readonly state: StateCodec<A>
}

interface Held<A> {
  window: Window
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
  readonly name: string
  /** What the accumulators look like: a checkpoint with others is refused. */
  readonly shape?: Json
  /** Turns the accumulators of an older shape, as they were saved, into the present one. Undefined where it cannot. */
  readonly migrate?: ((accumulator: Json, shape: Json) => Json | undefined) | undefined
  /** Outside a task: receives values and windows on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
  /** Least processing time between two provisional results; undefined for none. */
  readonly provisionalEveryMs: Duration | undefined
}

/**
 * Folds the values of each window and emits the result whenever the window fires: the mechanics behind `aggregateWindow`, `ohlcv` and `rollup`.
 *
 * Keeps one accumulator a window until the window is over. With `provisionalEveryMs`, a cut emits a provisional result for each window that changed since
 * the last one; at a final cut whatever the time. Nothing is lost over a restore: every window then counts as changed.
 */
export function foldWindows<T, A, R>(options: FoldOptions, fold: Fold<T, A, R>): OperatorFunction<WindowElement<T>, R> {
  const { name, shape = null, onReject } = options
  const provisionalEveryMs =
    options.provisionalEveryMs === undefined
      ? undefined
      : durationMs(options.provisionalEveryMs, `${name}: provisionalEveryMs`)
  if (provisionalEveryMs !== undefined && !(provisionalEveryMs >= 0)) {
    throw new ConfigurationError(`${name}: provisionalEveryMs must not be negative, got ${options.provisionalEveryMs}`)
  }
  const migrate = (saved: SavedOperator) => migrated(saved, shape, options.migrate)
  // Results at a cut are provisional and carry their window's time.
  const spec = { name, version: foldVersion, shape, migrate, isLoose: false, onReject }
  const folding = stateful<WindowElement<T>, R>(spec, (restored, out) => {
    const keeper = {}
    const states = new WindowStates((map) => restored.keyed(heldCodec(fold.state, keeper), map), restored.maps)
    states.rename(restored.nameToday)
    const previews = new Map<string, Previews<T>>()
    const isSame = fold.isSame ?? (() => true)
    const unshown: Held<A>[] = []
    for (const held of states.values()) if (!held.hasFired) unshown.push(held)
    let shownAt = Number.NEGATIVE_INFINITY

    /** Another fold may share the stream of windows, and a window may come from elsewhere; then the entry is found by id. */
    function find(window: RememberingWindow): KeyedEntry<Held<A>> | undefined {
      const known = window[foldedAs]
      if (known?.value.keeper === keeper && !known.isDeleted) return known as KeyedEntry<Held<A>>
      const entry = states.of(window).entry(window.id)
      if (entry !== undefined && known === null) window[foldedAs] = entry
      return entry
    }

    function add(window: Window, value: T): void {
      const entry = find(window)
      if (entry === undefined && (window.hops !== undefined || window.mayMerge === true)) needMerge()
      const state = states.of(window)
      // Marked before: an accumulator that is changed in place and then throws is saved as it is, so that a restart changes nothing.
      const known = entry === undefined ? null : state.touch(entry)
      const accumulator = fold.add(known === null ? fold.create(value) : known.accumulator, value, window)
      const held = known ?? { window, keeper, accumulator, hasFired: false, isShown: true }
      if (known === null) state.set(window.id, held)
      else if (window.varies === true) held.window = window
      held.accumulator = accumulator
      if (held.isShown && !held.hasFired) {
        held.isShown = false
        if (provisionalEveryMs !== undefined) unshown.push(held)
      }
    }

    function needMerge(): (earlier: A, later: A) => A {
      if (fold.merge !== undefined) return fold.merge
      throw lacksMerge(name)
    }

    /** The accumulators of these windows as one, in their order; undefined where there is none. */
    function mergedOf(windows: readonly Window[]): A | undefined {
      const held = windows.flatMap((window) => states.of(window).get(window.id) ?? [])
      const [first, ...others] = held.map(({ accumulator }) => accumulator)
      return first === undefined || others.length === 0 ? first : others.reduce(needMerge(), first)
    }

    function merge(window: Window, from: readonly Window[]): void {
      const accumulator = mergedOf(from)
      if (accumulator === undefined) return
      for (const one of from) states.of(one).delete(one.id)
      const held = { window, keeper, accumulator, hasFired: false, isShown: false }
      states.of(window).set(window.id, held)
      if (provisionalEveryMs !== undefined) unshown.push(held)
    }

    function preview(window: Window, value: T): void {
      const known = previews.get(foldId(window))
      if (known === undefined) previews.set(foldId(window), { window, values: [value], isShown: false })
      else {
        known.values = known.values.filter((older) => !isSame(older, value))
        known.values.push(value)
        known.isShown = false
      }
    }

    /** The value itself has come, so what stood for it goes. */
    function forgetPreview(window: Window, value: T): void {
      const known = previews.get(foldId(window))
      if (known === undefined) return
      known.values = known.values.filter((older) => !isSame(older, value))
      if (known.values.length === 0) previews.delete(foldId(window))
    }

    function show(window: Window, accumulator: A | undefined, values: readonly T[]): void {
      let result: R
      try {
        result = fold.result(accumulator, window, { isClosed: false, revision: 0 }, values)
      } catch {
        // It is told when the window fires. A letter here would depend on when checkpoints fall.
        return
      }
      out.making(window, false, () => out.emitAt(window.end - 1, result))
    }

    /** What was folded before it was known that the row is another task's; the records are no longer at hand. */
    function shownResult(window: Window, accumulator: A): string {
      try {
        const result = fold.result(accumulator, window, { isClosed: false, revision: 0 }, noPreviews)
        return `values folded before that come to ${resultText(result)}`
      } catch (error) {
        return `what is kept cannot be shown (${String(error)})`
      }
    }

    return {
      onValue(element) {
        const { window } = element
        if (element.kind === 'value') {
          if (element.isProvisional) preview(window, element.value)
          else {
            add(window, element.value)
            if (previews.size > 0) forgetPreview(window, element.value)
          }
        } else if (element.kind === 'merged') merge(window, element.from)
        else if (element.kind === 'fired' && element.panes !== undefined) {
          const accumulator = mergedOf(element.panes)
          if (accumulator === undefined) return
          out.emit(fold.result(accumulator, window, { isClosed: true, revision: element.revision }, noPreviews))
        } else if (element.kind === 'fired') {
          const entry = find(window)
          if (entry === undefined) return
          const held = states.of(window).touch(entry)
          held.hasFired = true
          held.isShown = true
          if (previews.size > 0) previews.delete(foldId(window))
          const fired = { isClosed: true, revision: element.revision }
          const result = fold.result(held.accumulator, window, fired, noPreviews)
          out.making(window, true, () => out.emit(result))
        } else {
          states.of(window).delete(window.id)
          if (previews.size > 0) previews.delete(foldId(window))
        }
      },
      onElsewhere(window, detail) {
        previews.delete(foldId(window))
        const held = states.of(window).get(window.id)
        if (held === undefined) return
        held.isShown = true
        states.of(window).delete(window.id)
        out.reject(
          elsewhereReason,
          `${window.name}: ${window.key}: ${detail}; ${shownResult(window, held.accumulator)}`,
        )
      },
      onCut(cut) {
        if (provisionalEveryMs === undefined || (unshown.length === 0 && previews.size === 0)) return
        // A clock that was set back must not hold them up until it has caught up.
        const sinceMs = cut.now - shownAt
        if (!cut.isFinal && sinceMs >= 0 && sinceMs < provisionalEveryMs) return
        shownAt = cut.now
        const shared = new Map<string, () => void>()
        for (const held of unshown) {
          if (held.isShown) continue
          held.isShown = true
          const { hops } = held.window
          if (hops !== undefined) {
            for (const window of windowsOver(held.window, hops)) {
              if (window.end - 1 > out.watermark)
                shared.set(foldId(window), () => show(window, mergedOf(panesOf(window, hops)), noPreviews))
            }
            continue
          }
          const expected = previews.get(foldId(held.window))
          if (expected === undefined) show(held.window, held.accumulator, noPreviews)
          else expected.isShown = false
        }
        unshown.length = 0
        for (const showWindow of shared.values()) showWindow()
        for (const expected of previews.values()) {
          if (expected.isShown) continue
          expected.isShown = true
          show(expected.window, states.of(expected.window).get(expected.window.id)?.accumulator, expected.values)
        }
      },
    }
  })
  return (elements) => {
    if (fold.merge === undefined && namedAbove(elements)?.needsMerge === true) throw lacksMerge(name)
    return folding(elements)
  }
}

function lacksMerge(name: string): ConfigurationError {
  return new ConfigurationError(
    `${name}: the windows above it share values or become one, so it needs to know how two accumulators are made one: give it merge(earlier, later).`,
  )
}

/** Layout of what is saved; 0.1.0 wrote 1, in which windows of two operators could share a key. */
const foldVersion = 2

/** Where previews of a window are kept; the windows of several operators may meet in one fold. */
function foldId(window: Window): string {
  return `${mapOf(window)} ${window.id}`
}

/** Windows of one operator and one length have a map of their own, in which their ids are unique; 0 stands for any length. */
function mapOf(window: Window): string {
  return `${lengthOf(window)} ${window.name}`
}

function lengthOf({ start, end, varies }: Window): number {
  return varies === true ? 0 : end - start
}

/** What a fold keeps, by the operators whose windows come to it; mostly there is one. */
class WindowStates<A> {
  readonly #open: (map: string) => KeyedState<Held<A>>
  readonly #byMap = new Map<string, KeyedState<Held<A>>>()
  #lastName = ''
  #lastSizeMs = 0
  #last: KeyedState<Held<A>> | null = null

  constructor(open: (map: string) => KeyedState<Held<A>>, saved: readonly string[]) {
    this.#open = open
    for (const map of saved) this.#byMap.set(map, open(map))
  }

  of(window: Window): KeyedState<Held<A>> {
    const sizeMs = lengthOf(window)
    if (this.#last !== null && window.name === this.#lastName && sizeMs === this.#lastSizeMs) return this.#last
    const map = mapOf(window)
    const state = this.#byMap.get(map) ?? this.#open(map)
    this.#byMap.set(map, state)
    this.#last = state
    this.#lastName = window.name
    this.#lastSizeMs = sizeMs
    return state
  }

  /** Windows come under the name of their operator, which may be another one since they were saved. */
  rename(nameToday: (name: string) => string): void {
    for (const [map, state] of [...this.#byMap]) {
      const [, sizeMs, name = ''] = /^(\d+) (.*)$/s.exec(map) ?? []
      const today = nameToday(name)
      if (today === name) continue
      const renamed = `${sizeMs} ${today}`
      // What is there under the name was of an operator that is retired, or it would not have been given away.
      const target = this.#byMap.get(renamed) ?? this.#open(renamed)
      this.#byMap.set(renamed, target)
      for (const [id] of [...target.entries()]) target.delete(id)
      for (const [id, held] of [...state.entries()]) {
        target.set(id, { ...held, window: { ...held.window, name: today } })
        state.delete(id)
      }
    }
  }

  *values(): IterableIterator<Held<A>> {
    for (const state of this.#byMap.values()) for (const [, held] of state.entries()) yield held
  }
}

/** At the end stands the id where windows vary in length, and for a pane the size and the hop of its windows. */
type SavedHeld = readonly [
  name: string,
  key: string,
  start: number,
  end: number,
  hasFired: boolean,
  accumulator: Json,
  ...more: (string | number)[],
]

function heldCodec<A>(codec: StateCodec<A>, keeper: object): StateCodec<Held<A>> {
  return {
    encode: ({ window, accumulator, hasFired }) => [
      window.name,
      window.key,
      window.start,
      window.end,
      hasFired,
      codec.encode(accumulator),
      ...(window.varies === true ? [window.id] : []),
      ...(window.hops === undefined ? [] : [window.hops.sizeMs, window.hops.hopMs]),
    ],
    decode: (saved) => {
      const window = savedWindow(saved)
      const [, , , , hasFired, accumulator] = saved as unknown as SavedHeld
      return { window, keeper, accumulator: codec.decode(accumulator), hasFired, isShown: hasFired }
    },
  }
}

function savedWindow(saved: Json): Window {
  const [name, key, start, end, , , ...more] = saved as unknown as SavedHeld
  const window = { name, key, start, end, id: windowId(key, start) }
  const [first, second] = more
  if (typeof first === 'string') return { ...window, id: first, varies: true }
  return first === undefined ? window : { ...window, hops: { sizeMs: first, hopMs: second as number } }
}

/** Maps of the present layout and accumulators of the present shape; as it is where one of them cannot be made. */
function migrated(saved: SavedOperator, shape: Json, migrate: FoldOptions['migrate']): SavedOperator {
  const hasShape = JSON.stringify(saved.shape) === JSON.stringify(shape)
  // Only 0.1.0 said nothing about accumulators; what says nothing since is another fold's.
  if (saved.version > 1 && saved.shape === null) return saved
  const maps: Record<string, KeyedPair[]> = {}
  for (const [id, value] of [saved.keyed, ...Object.values(saved.maps ?? {})].flat()) {
    const [name, key, start, end, hasFired, accumulator, ...more] = value as unknown as SavedHeld
    const now = hasShape ? accumulator : migrate?.(accumulator, saved.shape)
    if (now === undefined) return saved
    const map = mapOf(savedWindow(value as Json))
    maps[map] = [...(maps[map] ?? []), [id, [name, key, start, end, hasFired, now, ...more]]]
  }
  return { ...saved, version: foldVersion, shape, keyed: [], maps }
}
