import type { Json } from '../runtime/json.ts'
import type { KeyedEntry, KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import type { KeyedPair, SavedOperator } from '../runtime/state/savedState.ts'
import type { Folded } from './fold.ts'
import { type Window, windowId } from './window.ts'

/** What a window told last, as it was then; null for nothing. */
export type Told<A> = Folded<A> | null

/** What a fold keeps for a window; first what every value changes or asks. */
export interface Held<A> {
  accumulator: A
  /** Its place in the saved state, as soon as it has one and was found there. */
  entry: KeyedEntry<Held<A>> | null
  /** The cut since which it is known to have changed. */
  changedIn: number
  /** True while the result that was shown when it fired holds. */
  hasFired: boolean
  /** False while a provisional result is due. */
  isShown: boolean
  /** True once its result was taken back, until it gets another value. */
  isWithdrawn: boolean
  window: Window
  /** The fold that keeps it. */
  readonly keeper: object
  /** The place of its window, where it is noted among those that are quiet (`QuietHelds`); below 0 otherwise. */
  place: number
  /** How many values are in it, where results are shown by their number; 0 otherwise. */
  valueCount: number
  /** By the start of the window, or of each of which this is a pane: what it told before results that could not be made. Null where there are none. */
  standing: ReadonlyMap<number, Told<A>> | null
}

/** What is kept of a window that has not fired. */
export function heldFor<A>(window: Window, keeper: object, accumulator: A, isShown: boolean): Held<A> {
  return {
    accumulator,
    entry: null,
    changedIn: -1,
    hasFired: false,
    isShown,
    isWithdrawn: false,
    window,
    keeper,
    place: -1,
    valueCount: 0,
    standing: null,
  }
}

/** Layout of what is saved; 0.1.0 wrote 1, in which windows of two operators could share a key. */
export const foldVersion = 2

/** What a window is remembered by while a fold is at work; the windows of several operators may meet in one fold. */
export function foldId(window: Window): string {
  // How long the name is tells where the id begins, whatever characters both have.
  return `${window.name.length} ${mapOf(window)} ${window.id}`
}

/** Windows of one operator and one length have a map of their own, in which their ids are unique; 0 stands for any length. */
function mapOf(window: Window): string {
  return `${lengthOf(window)} ${window.name}`
}

function lengthOf({ start, end, varies }: Window): number {
  return varies === true ? 0 : end - start
}

/** What a fold keeps, by the operators whose windows come to it; mostly there is one. */
export class WindowStates<A> {
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
    const known = this.known(window)
    if (known !== undefined) return known
    const map = mapOf(window)
    this.#byMap.set(map, this.#open(map))
    return this.known(window) as KeyedState<Held<A>>
  }

  /** The same, undefined where nothing was ever kept for such windows. */
  known(window: Window): KeyedState<Held<A>> | undefined {
    const sizeMs = lengthOf(window)
    if (this.#last !== null && window.name === this.#lastName && sizeMs === this.#lastSizeMs) return this.#last
    const state = this.#byMap.get(mapOf(window))
    if (state === undefined) return undefined
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
        target.set(id, { ...held, entry: null, changedIn: -1, place: -1, window: { ...held.window, name: today } })
        state.delete(id)
      }
    }
  }

  *values(): IterableIterator<Held<A>> {
    for (const state of this.#byMap.values()) for (const [, held] of state.entries()) yield held
  }
}

/** At the end stands the id where windows vary in length, for a pane the size and the hop of its windows, and what is remembered of results. */
type SavedHeld = readonly [
  name: string,
  key: string,
  start: number,
  end: number,
  hasFired: boolean,
  accumulator: Json,
  ...more: (string | number | SavedTelling)[],
]

interface SavedTelling {
  readonly values?: number
  readonly isShown?: true
  readonly standing?: readonly SavedTold[]
}

type SavedTold = readonly [start: number] | readonly [start: number, end: number, accumulator: Json]

/** @param remembersShown true where it is decided by the data alone whether a provisional result is due */
export function heldCodec<A>(codec: StateCodec<A>, keeper: object, remembersShown: boolean): StateCodec<Held<A>> {
  return {
    encode: ({ window, accumulator, hasFired, isShown, valueCount, standing }) => {
      const { name, key, start, end, hops } = window
      const saved: Json[] = [name, key, start, end, hasFired, codec.encode(accumulator)]
      if (window.varies === true) saved.push(window.id)
      if (hops !== undefined) saved.push(hops.sizeMs, hops.hopMs)
      if (valueCount !== 0) saved.push({ values: valueCount })
      if (remembersShown && isShown && !hasFired) saved.push({ isShown: true })
      if (standing !== null) saved.push({ standing: savedStanding(codec, standing) })
      return saved
    },
    decode: (saved) => {
      const window = savedWindow(saved)
      const [, , , , hasFired, accumulator, ...more] = saved as unknown as SavedHeld
      const { values = 0, isShown = false, standing } = Object.assign({}, ...more.filter(isTelling)) as SavedTelling
      const held = heldFor(window, keeper, codec.decode(accumulator), hasFired || (remembersShown && isShown))
      held.hasFired = hasFired
      held.valueCount = values
      if (standing !== undefined) {
        held.standing = new Map(standing.map((told) => [told[0], toldOf(codec, window, told)]))
      }
      return held
    },
  }
}

function savedStanding<A>(codec: StateCodec<A>, standing: ReadonlyMap<number, Told<A>>): Json {
  return [...standing].map(([start, told]) =>
    told === null ? [start] : [start, told.window.end, codec.encode(told.accumulator)],
  )
}

/** @param holder the window itself, or a pane of it */
function toldOf<A>(codec: StateCodec<A>, holder: Window, [start, ...told]: SavedTold): Told<A> {
  if (told.length === 0) return null
  const [end, accumulator] = told
  const { name, key, hops } = holder
  const window = hops === undefined ? { ...holder, end } : { name, key, start, end, id: windowId(key, start) }
  return { window, accumulator: codec.decode(accumulator) }
}

function isTelling(one: string | number | SavedTelling): one is SavedTelling {
  return typeof one === 'object'
}

function savedWindow(saved: Json): Window {
  const [name, key, start, end, , , ...more] = saved as unknown as SavedHeld
  const window = { name, key, start, end, id: windowId(key, start) }
  const [first, second] = more.filter((one) => !isTelling(one))
  if (typeof first === 'string') return { ...window, id: first, varies: true }
  return first === undefined ? window : { ...window, hops: { sizeMs: first as number, hopMs: second as number } }
}

/** Maps of the present layout and accumulators of the present shape; as it is where one of them cannot be made. */
export function migrated(
  saved: SavedOperator,
  shape: Json,
  migrate: ((accumulator: Json, shape: Json) => Json | undefined) | undefined,
): SavedOperator {
  const hasShape = JSON.stringify(saved.shape) === JSON.stringify(shape)
  // Only 0.1.0 said nothing about accumulators; what says nothing since is another fold's.
  if (saved.version > 1 && saved.shape === null) return saved
  const maps: Record<string, KeyedPair[]> = {}
  for (const [id, value] of [saved.keyed, ...Object.values(saved.maps ?? {})].flat()) {
    const [name, key, start, end, hasFired, accumulator, ...more] = value as unknown as SavedHeld
    const now = hasShape ? accumulator : migrate?.(accumulator, saved.shape)
    if (now === undefined) return saved
    const map = mapOf(savedWindow(value as Json))
    maps[map] = [...(maps[map] ?? []), [id, [name, key, start, end, hasFired, now, ...(more as Json[])]]]
  }
  return { ...saved, version: foldVersion, shape, keyed: [], maps }
}
