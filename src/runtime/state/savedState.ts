import { StateMismatchError } from '../errors.ts'
import type { Json } from '../json.ts'
import type { StateFrame } from '../store/checkpoint.ts'
import { FrameChain } from './frameChain.ts'

/** Layout of a state frame's text. 2 has several maps an operator and marks a key that went and came back; 1, of release 0.1.0, is read as well. */
const frameVersion = 2
const readableVersions = [1, frameVersion]

/** A key with its value, or a key alone for one that was deleted. */
export type KeyedPair = readonly [string, Json] | readonly [string]

/** What an operator saved: its small `snapshot` and its keyed state, with the `version` and the options (`shape`) that shaped them. */
export interface SavedOperator {
  readonly version: number
  readonly shape: Json
  readonly snapshot: Json
  /** The keyed state without a name of its own: `[key, value]` in order. */
  readonly keyed: readonly KeyedPair[]
  /** Keyed state by the names of its maps. */
  readonly maps?: Readonly<Record<string, readonly KeyedPair[]>>
}

/** One operator's part of a frame. */
export interface FrameOperator extends SavedOperator {
  readonly name: string
}

interface Frame {
  readonly version: number
  readonly operators: readonly FrameOperator[]
}

/** Under this name, which no operator can have, a frame holds what the task itself keeps. */
export const taskItself = ''

/** The map of keyed state that was given no name. */
export const unnamedMap = ''

/** One operator's part of a frame, as pieces of its text; keyed state is pieces already, because that is what `KeyedState` gives. */
export function operatorText(
  name: string,
  version: number,
  shape: Json,
  snapshot: string,
  keyed: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const text = [
    `{"name":${JSON.stringify(name)},"version":${version},"shape":${JSON.stringify(shape)},"snapshot":${snapshot},"keyed":[`,
  ]
  addPieces(text, keyed.get(unnamedMap) ?? [])
  const named = [...keyed].filter(([map]) => map !== unnamedMap)
  for (const [i, [map, pieces]] of named.entries()) {
    text.push(`${i === 0 ? '],"maps":{' : '],'}${JSON.stringify(map)}:[`)
    addPieces(text, pieces)
  }
  text.push(named.length === 0 ? ']}' : ']}}')
  return text
}

function addPieces(text: string[], pieces: readonly string[]): void {
  for (const [i, piece] of pieces.entries()) {
    if (i > 0) text.push(',')
    text.push(piece)
  }
}

/** Joined once: text that is added to text would be copied each time that somebody reads it. */
export function frameText(operators: readonly (readonly string[])[]): string {
  const parts = operators.flatMap((text, i) => (i === 0 ? text : [',', ...text]))
  return [`{"version":${frameVersion},"operators":[`, ...parts, ']}'].join('')
}

/**
 * Reads the frames of a task, oldest first, into what each operator saved, by name. Keyed state is as in the frames: a pair each time that a key changed or went, in an order that gives keys the places that they had.
 */
export function readFrames(frames: readonly StateFrame[]): Map<string, SavedOperator> {
  const saved = new Map<string, SavedOperator>()
  const chain = new FrameChain()
  const known = new KnownKeys()
  for (const frame of frames) {
    const role = chain.roleOf(frame)
    if (role === null) continue
    if (role === 'all') saved.clear()
    const isPortion = frame.kind !== 'base' && frame.kind !== 'delta'
    for (const { name, ...operator } of framedOperators(frame)) {
      if (isPortion) known.add(name, operator)
      saved.set(name, appended(saved.get(name), role === 'known changes' ? known.of(name, operator) : operator))
    }
  }
  return saved
}

/** Which keys the portions so far have. A key that comes while a whole state is written in portions will be in a later one, and has its place there. */
class KnownKeys {
  readonly #keys = new Map<string, Set<string>>()

  add(name: string, operator: SavedOperator): void {
    mapPairs(operator, (map, pairs) => {
      const keys = this.#of(name, map)
      for (const [key] of pairs) keys.add(key)
      return pairs
    })
  }

  /** What was changed of them. */
  of(name: string, operator: SavedOperator): SavedOperator {
    return mapPairs(operator, (map, pairs) => {
      const keys = this.#of(name, map)
      return pairs.filter((pair) => (pair.length === 1 ? keys.delete(pair[0]) : keys.has(pair[0])))
    })
  }

  #of(name: string, map: string): Set<string> {
    const id = JSON.stringify([name, map])
    const keys = this.#keys.get(id) ?? new Set()
    this.#keys.set(id, keys)
    return keys
  }
}

/** The parts of one frame, in their order. Throws `StateMismatchError` on a layout that this release does not know. */
export function framedOperators({ body }: StateFrame): readonly FrameOperator[] {
  return readFrame(body).operators
}

/** The frame without the operator's part, or null where it has none. Throws `StateMismatchError` as above. */
export function withoutOperator(frame: StateFrame, name: string): StateFrame | null {
  const { version, operators } = readFrame(frame.body)
  const kept = operators.filter((operator) => operator.name !== name)
  if (kept.length === operators.length) return null
  return { kind: frame.kind, body: JSON.stringify({ version, operators: kept }) }
}

function readFrame(body: string): Frame {
  const frame = JSON.parse(body) as Frame
  if (readableVersions.includes(frame.version)) return frame
  throw new StateMismatchError(
    `the saved state has layout version ${frame.version}; this release reads ${readableVersions.join(' and ')}. ` +
      'Run the release that wrote it, or start under a new pipeline name.',
  )
}

/** With each key once, in order, and those that went left out. */
export function settled(saved: SavedOperator): SavedOperator {
  return mapPairs(saved, (_map, pairs) => settledPairs(pairs))
}

/** With other pairs in each of its maps. */
function mapPairs(
  saved: SavedOperator,
  change: (map: string, pairs: readonly KeyedPair[]) => readonly KeyedPair[],
): SavedOperator {
  const { maps } = saved
  return {
    ...saved,
    keyed: change(unnamedMap, saved.keyed),
    ...(maps === undefined
      ? {}
      : { maps: Object.fromEntries(Object.entries(maps).map(([map, pairs]) => [map, change(map, pairs)])) }),
  }
}

function settledPairs(pairs: readonly KeyedPair[]): KeyedPair[] {
  const state = new Map<string, Json>()
  for (const [key, value] of pairs) {
    if (value === undefined) state.delete(key)
    else state.set(key, value)
  }
  return [...state]
}

/** Adds the delta to what is there, which belongs to nobody else. */
function appended(before: SavedOperator | undefined, delta: SavedOperator): SavedOperator {
  if (before === undefined) return delta
  const keyed = before.keyed as KeyedPair[]
  for (const pair of delta.keyed) keyed.push(pair)
  const maps = (before.maps ?? {}) as Record<string, KeyedPair[]>
  for (const [map, pairs] of Object.entries(delta.maps ?? {})) {
    const known = Object.hasOwn(maps, map) ? maps[map] : undefined
    if (known === undefined) Object.defineProperty(maps, map, { value: pairs, enumerable: true, writable: true })
    else for (const pair of pairs) known.push(pair)
  }
  return { ...delta, keyed, maps }
}
