import type { StateFrame } from './checkpoint.ts'
import { StateMismatchError } from './errors.ts'
import type { Json } from './json.ts'

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

/** One operator's part of a frame as text; keyed state is JSON text already, because that is what `KeyedState` gives. */
export function operatorText(
  name: string,
  version: number,
  shape: Json,
  snapshot: Json,
  keyed: ReadonlyMap<string, string>,
): string {
  const named = [...keyed]
    .filter(([map]) => map !== unnamedMap)
    .map(([map, pairs]) => `${JSON.stringify(map)}:${pairs}`)
  return (
    `{"name":${JSON.stringify(name)},"version":${version},"shape":${JSON.stringify(shape)},` +
    `"snapshot":${JSON.stringify(snapshot)},"keyed":${keyed.get(unnamedMap) ?? '[]'}${named.length === 0 ? '' : `,"maps":{${named.join(',')}}`}}`
  )
}

export function frameText(operators: readonly string[]): string {
  return `{"version":${frameVersion},"operators":[${operators.join(',')}]}`
}

/** Reads a base and the deltas after it into what each operator saved, by name. Keyed state is as in the frames: a pair each time that a key changed or went. */
export function readFrames(frames: readonly StateFrame[]): Map<string, SavedOperator> {
  const saved = new Map<string, SavedOperator>()
  for (const frame of frames) {
    const operators = framedOperators(frame)
    if (frame.kind === 'base') saved.clear()
    for (const { name, ...operator } of operators) saved.set(name, appended(saved.get(name), operator))
  }
  return saved
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
  const { maps } = saved
  return {
    ...saved,
    keyed: settledPairs(saved.keyed),
    ...(maps === undefined
      ? {}
      : { maps: Object.fromEntries(Object.entries(maps).map(([map, pairs]) => [map, settledPairs(pairs)])) }),
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
