import type { StateFrame } from './checkpoint.ts'
import { Origin, placeKey } from './deadLetters.ts'
import { ConfigurationError, OperatorError, StateMismatchError } from './errors.ts'
import { FrameChain } from './frameChain.ts'
import type { Json } from './json.ts'
import { KeyedState, type StateCodec } from './keyedState.ts'
import { LetterNumbers } from './letterNumbers.ts'
import type { Logic, OperatorSpec, Restored } from './operator.ts'
import { decodeOwnState, encodeOwnState, type OwnState } from './ownState.ts'
import type { PipelineOptions } from './pipeline.ts'
import { nameToday, renameOwn, renameSaved } from './renamedOperators.ts'
import {
  frameText,
  operatorText,
  readFrames,
  type SavedOperator,
  settled,
  taskItself,
  unnamedMap,
} from './savedState.ts'

/** An operator as far as its state is concerned. */
export interface StateHolder {
  readonly spec: OperatorSpec
  readonly logic: Pick<Logic<never>, 'snapshot' | 'onWatermark'>
  /** False while it has had nothing that could have become state. */
  readonly isAwake: boolean
}

interface BoundOperator {
  readonly holder: StateHolder
  readonly maps: ReadonlyMap<string, KeyedState<never>>
  /** What the last cut saved; null before the first that did. */
  lastSnapshot: string | null
}

/** Deltas of less text than this part of a portion are no reason for a new base. */
const smallestRebase = 1 / 4

/** Deltas that outweigh a base so many times say that whole states were begun, and given up, again and again: the next is written at once, for tasks that never live long enough to end one. */
const mostOutweighed = 3

/** What of the state a cut stores. */
export interface StateCut {
  /** With it, the frames say all. */
  readonly state: StateFrame
  /** Behind it: a portion of a whole state that is to take the place of what was stored before. */
  readonly portion?: StateFrame
}

/** A whole state that is being written in portions. */
interface Rebase {
  /** Of its portions so far. */
  chars: number
  /** Of the deltas since its first, and how many keys there are in them. */
  deltaChars: number
  deltaKeys: number
}

/**
 * The saved state of a task's operators: hands it out by name while the graph is built, and takes it in again at each cut.
 *
 * A cut gives a delta of what changed; once the deltas since the last base outweigh it, the next cut gives a base. Where that is large, it is written in portions, one a cut and each with twice the text of the cut's delta at least, so that no cut
 * takes longer, and nothing holds more text, the more is kept. So what is stored, and what a restore reads, stays within about twice the size of the state, and about four times while portions are written. After a migration the next cut gives a base as
 * well, all of it in the new layout.
 */
export class TaskState {
  readonly #pipeline: PipelineOptions
  readonly #saved: Map<string, SavedOperator>
  readonly #operators: BoundOperator[] = []
  readonly #taken = new Set<string>()
  readonly #maps = new Map<string, Map<string, KeyedState<never>>>()
  /** What each operator was given, while the graph is built. */
  readonly #restored = new Map<string, SavedOperator>()
  /** By record: values that were made of one number its letters together, also those that were saved apart. */
  readonly #ordinals = new Map<string, LetterNumbers>()
  /** What the task itself had saved. */
  readonly own: OwnState
  /** Of the last record that was pushed: more letters of it may come at a cut or while nothing comes. */
  readonly lastOrdinals = new LetterNumbers()
  /** Where that record stood in its input. */
  readonly lastOffset: number
  readonly #watermark: number
  #hasOwn: boolean
  /** Of the frames that count: of the whole state, and of the deltas since. */
  #baseChars = 0
  #deltaChars = 0
  /** How many keys there were in each of these; 0 where only the frames know. */
  #baseKeys = 0
  #deltaKeys = 0
  #lastDeltaChars = 0
  #needsBase: boolean
  #rebase: Rebase | null = null
  /** A whole state with more text than this is written in portions of about so much. */
  readonly #portionChars: number

  /**
   * @param nextOffsets of each input
   * @param watermark of the checkpoint, ms UTC
   * @param portionChars what has more text is written in portions of about so much
   * @throws StateMismatchError on frames that cannot be read, and where an operator was renamed to one that has state of its own
   */
  constructor(
    pipeline: PipelineOptions,
    frames: readonly StateFrame[],
    nextOffsets: readonly number[],
    watermark: number,
    portionChars: number,
  ) {
    this.#pipeline = pipeline
    this.#portionChars = portionChars
    this.#watermark = watermark
    const { saved, isChanged } = renameSaved(readFrames(frames), pipeline)
    this.#saved = saved
    // What was saved under an old name must be gone from the frames once there is something under the new one.
    this.#needsBase = frames.length === 0 || isChanged
    const chain = new FrameChain()
    for (const frame of frames) {
      const role = chain.roleOf(frame)
      if (role === 'all' || role === 'more') this.#baseChars += frame.body.length
      else if (role !== null) this.#deltaChars += frame.body.length
    }
    const own = this.#saved.get(taskItself)?.snapshot
    this.own = renameOwn(decodeOwnState(own), pipeline)
    const { ordinals, lastInput, lastOffset } = this.own
    for (const [operator, next] of ordinals) this.lastOrdinals.goOnAt(operator, next)
    this.lastOffset = lastOffset ?? (nextOffsets[lastInput] ?? 0) - 1
    this.#ordinals.set(placeKey(lastInput, this.lastOffset), this.lastOrdinals)
    this.#hasOwn = own != null
    this.#taken.add(taskItself)
  }

  restoredFor(spec: OperatorSpec): Restored {
    if (this.#taken.has(spec.name)) {
      throw new ConfigurationError(
        `two operators of one pipeline are called ${JSON.stringify(spec.name)}; their saved state would mix. Give one of them a name of its own in its options ` +
          "(name: '…'), or, if it is one stream that is used twice, end it with share().",
      )
    }
    const { name, renamed = {} } = this.#pipeline
    if (Object.hasOwn(renamed, spec.name)) {
      throw new ConfigurationError(
        `pipeline ${name}: operator ${JSON.stringify(spec.name)} is in the pipeline, and "renamed" says that it is called ` +
          `${JSON.stringify(renamed[spec.name])} now. Give the new operator a name that none has had, or take the entry out of "renamed".`,
        { pipeline: name },
      )
    }
    this.#taken.add(spec.name)
    const saved = this.#fittingFor(spec)
    if (saved !== undefined) this.#restored.set(spec.name, saved)
    const maps = new Map<string, KeyedState<never>>()
    this.#maps.set(spec.name, maps)
    return {
      snapshot: saved?.snapshot ?? undefined,
      keyed: <V>(codec: StateCodec<V>, map = unnamedMap) => {
        if (maps.has(map)) {
          throw new ConfigurationError(
            `${spec.name}: keyed state ${map === unnamedMap ? 'without a name' : JSON.stringify(map)} was asked for twice; give each map a name of its own`,
          )
        }
        const state = new KeyedState(codec)
        maps.set(map, state as KeyedState<never>)
        const { keyed, maps: savedMaps = {} } = saved ?? {}
        const pairs = map === unnamedMap ? keyed : Object.hasOwn(savedMaps, map) ? savedMaps[map] : undefined
        if (pairs !== undefined) naming(spec.name, 'could not restore its keyed state', () => state.restore(pairs))
        return state
      },
      watermark: this.#watermark,
      maps: Object.keys(saved?.maps ?? {}),
      nameToday: (before) => nameToday(before, this.#pipeline),
      origin: (text) => Origin.decode(text, this.#ordinals),
    }
  }

  /** True when something was saved for the operator. */
  hasSaved(name: string): boolean {
    return this.#saved.has(name)
  }

  /** How many keys the operator's state holds. */
  keyCountOf(name: string): number {
    let count = 0
    for (const { size } of this.#maps.get(name)?.values() ?? []) count += size
    return count
  }

  /** Takes the operator in. Refuses one that has left a saved map unread, which would be lost without a word. */
  bind(holder: StateHolder): void {
    const saved = this.#restored.get(holder.spec.name)
    const taken = this.#maps.get(holder.spec.name)
    const left = Object.keys(saved?.maps ?? {}).filter((map) => taken?.has(map) !== true)
    if (saved !== undefined && saved.keyed.length > 0 && taken?.has(unnamedMap) !== true) left.unshift('without a name')
    if (left.length > 0) {
      throw new StateMismatchError(
        `${holder.spec.name}: the saved state has keyed state ${left.map((map) => JSON.stringify(map)).join(', ')}, which the operator no longer reads. ` +
          'Give the map its old name back, or raise the version and give the operator a migrate function.',
      )
    }
    const maps = this.#maps.get(holder.spec.name) ?? new Map<string, KeyedState<never>>()
    this.#operators.push({ holder, maps, lastSnapshot: null })
  }

  /** Saved state that no operator asked for means that one was renamed or removed: its windows and ids would be lost without a word. */
  checkRetired(): void {
    const pipeline = this.#pipeline
    for (const name of this.#saved.keys()) {
      if (this.#taken.has(name)) continue
      if (pipeline.retired?.includes(name) === true) {
        this.#needsBase = true
        continue
      }
      const known = [...this.#taken].filter((taken) => taken !== taskItself).join(', ')
      throw new StateMismatchError(
        `pipeline ${pipeline.name}: operator ${JSON.stringify(name)} has saved state but is not in the pipeline (it has: ${known}). ` +
          `If it was renamed, say so in the pipeline's "renamed"; if it was removed, add it to "retired" to drop its state.`,
        { pipeline: pipeline.name },
      )
    }
    this.#saved.clear()
    this.#ordinals.clear()
    this.#restored.clear()
  }

  take(ownState: OwnState): StateCut {
    const isDue =
      this.#rebase === null && this.#deltaChars > Math.max(this.#baseChars, this.#portionChars * smallestRebase)
    const isLate = isDue && this.#deltaChars > mostOutweighed * Math.max(this.#baseChars, this.#portionChars)
    const isSmall = isDue && this.#expectedChars() <= Math.max(this.#portionChars, 2 * this.#lastDeltaChars)
    const isBase = this.#needsBase || isSmall || isLate
    const changed = this.#sum((state) => state.changed)
    const state = this.#takeState(ownState, isBase)
    const { length } = state.body
    if (isBase) {
      this.#based({ chars: length, deltaChars: 0, deltaKeys: 0 })
      return { state }
    }
    this.#lastDeltaChars = length
    this.#deltaChars += length
    this.#deltaKeys += changed
    if (this.#rebase !== null) {
      this.#rebase.deltaChars += length
      this.#rebase.deltaKeys += changed
    }
    if (this.#rebase === null && !isDue) return { state }
    return { state, portion: this.#takePortion(ownState, Math.max(this.#portionChars, 2 * length)) }
  }

  /** How much text the whole state would have: as much a key as in the frames, and no more than all of these, though keys may have come and gone in them. */
  #expectedChars(): number {
    const all = this.#baseChars + this.#deltaChars
    if (this.#baseKeys === 0) return all
    const charsAKey = Math.max(this.#baseChars / this.#baseKeys, this.#deltaChars / Math.max(this.#deltaKeys, 1))
    return Math.min(all, charsAKey * this.#sum(({ size }) => size))
  }

  #sum(of: (state: KeyedState<never>) => number): number {
    let sum = 0
    for (const { maps } of this.#operators) for (const state of maps.values()) sum += of(state)
    return sum
  }

  #takeState(ownState: OwnState, isBase: boolean): StateFrame {
    const parts: (readonly string[])[] = []
    for (const operator of this.#savedOperators()) {
      const { spec, logic } = operator.holder
      const snapshot = naming(spec.name, 'could not save its state', () => JSON.stringify(logic.snapshot?.() ?? null))
      let hasChanged = snapshot !== operator.lastSnapshot
      operator.lastSnapshot = snapshot
      const maps = piecesOf(operator, (state) => (isBase ? state.takeBase() : state.takeDelta()))
      hasChanged ||= maps.size > 0
      if (isBase || hasChanged) parts.push(textOf(operator, maps))
    }
    // A delta must take back what the frame before may have said.
    const own = encodeOwnState(ownState)
    if (own !== null || this.#hasOwn) parts.push(ownText(own))
    this.#hasOwn = own !== null
    return { kind: isBase ? 'base' : 'delta', body: frameText(parts) }
  }

  /** Behind the delta of the same cut, so that what it says of each key is what the key has now. */
  #takePortion(ownState: OwnState, mostChars: number): StateFrame {
    const isFirst = this.#rebase === null
    const rebase = this.#rebase ?? { chars: 0, deltaChars: 0, deltaKeys: 0 }
    this.#rebase = rebase
    const parts: (readonly string[])[] = []
    let chars = 0
    let left = 0
    for (const operator of this.#savedOperators()) {
      const maps = piecesOf(operator, (state) => {
        if (isFirst || !state.isInPortions) state.startPortions()
        const pieces = state.takePortion(mostChars - chars)
        for (const { length } of pieces) chars += length
        left += state.left
        return pieces
      })
      if (isFirst || maps.size > 0) parts.push(textOf(operator, maps))
    }
    const own = isFirst ? encodeOwnState(ownState) : null
    if (own !== null) parts.push(ownText(own))
    const body = frameText(parts)
    rebase.chars += body.length
    if (left > 0) return { kind: isFirst ? 'first' : 'further', body }
    this.#based(rebase)
    return { kind: isFirst ? 'base' : 'last', body }
  }

  /** Those whose state belongs to a frame. */
  #savedOperators(): readonly BoundOperator[] {
    return this.#operators.filter(
      ({ holder: { logic, isAwake }, maps }) =>
        isAwake && (logic.snapshot !== undefined || logic.onWatermark !== undefined || maps.size > 0),
    )
  }

  /** A whole state is stored, with deltas behind its beginning. */
  #based({ chars, deltaChars, deltaKeys }: Rebase): void {
    this.#needsBase = false
    this.#baseChars = chars
    this.#baseKeys = this.#sum(({ size }) => size)
    this.#deltaChars = deltaChars
    this.#deltaKeys = deltaKeys
    this.#rebase = null
    for (const { maps } of this.#operators) for (const state of maps.values()) state.endPortions()
  }

  #fittingFor(spec: OperatorSpec): SavedOperator | undefined {
    const found = this.#saved.get(spec.name)
    if (found === undefined || fits(spec, found)) return found
    this.#needsBase = true
    return migrated(spec, settled(found))
  }
}

/** What `take` gives of each of the operator's maps, of those that it gives anything of. */
function piecesOf(
  { holder: { spec }, maps }: BoundOperator,
  take: (state: KeyedState<never>) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const taken = new Map<string, readonly string[]>()
  for (const [map, state] of maps) {
    const pieces = naming(spec.name, 'could not save its keyed state', () => take(state))
    if (pieces.length > 0) taken.set(map, pieces)
  }
  return taken
}

function ownText(own: Json): readonly string[] {
  return operatorText(taskItself, 1, null, JSON.stringify(own), new Map())
}

function textOf(
  { holder: { spec }, lastSnapshot }: BoundOperator,
  maps: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  return operatorText(spec.name, spec.version ?? 1, spec.shape ?? null, lastSnapshot ?? 'null', maps)
}

function fits(spec: OperatorSpec, saved: SavedOperator): boolean {
  return saved.version === (spec.version ?? 1) && canonical(saved.shape) === canonical(spec.shape ?? null)
}

function migrated(spec: OperatorSpec, saved: SavedOperator): SavedOperator {
  const version = spec.version ?? 1
  if (saved.version > version) {
    throw new StateMismatchError(
      `${spec.name}: the saved state has version ${saved.version}, this release writes ${version}. Run the newer release, ` +
        'or start under a new pipeline name, which reads the log from its beginning.',
    )
  }
  const result = spec.migrate?.(saved)
  if (result !== undefined && fits(spec, result)) return result
  throw new StateMismatchError(
    `${spec.name}: the saved state was made with ${canonical(saved.shape)}${layoutOf(saved.version, version)}, and now it is ${canonical(spec.shape ?? null)}${layoutOf(version, saved.version)}. ` +
      'Put it back as it was, give the operator a migrate function that makes the new state of the saved one, or start under a new pipeline name, which reads the log from its beginning.',
  )
}

/** The version of the operator, where that is what differs. */
function layoutOf(version: number, other: number): string {
  return version === other ? '' : ` and version ${version}`
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** Runs code of the operator or of its codec, and says whose it was if it throws. */
function naming<T>(operator: string, what: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof StateMismatchError) throw error
    throw new OperatorError(`${operator} ${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
