import type { Json } from '../json.ts'
import type { Logic, OperatorSpec } from '../operator/operator.ts'
import type { StateFrame } from '../store/checkpoint.ts'
import { FrameChain } from './frameChain.ts'
import type { KeyedState } from './keyedState.ts'
import { encodeOwnState, type OwnState } from './ownState.ts'
import { frameText, operatorText, taskItself } from './savedState.ts'
import { naming } from './stateCode.ts'

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
 * The frames that cuts store of the state of a task's operators.
 *
 * A cut gives a delta of what changed; once the deltas since the last base outweigh it, the next cut gives a base. Where that is large, it is written in portions, one a cut and each with twice the text of the cut's delta at least, so that no cut
 * takes longer, and nothing holds more text, the more is kept. So what is stored, and what a restore reads, stays within about twice the size of the state, and about four times while portions are written.
 */
export class StateFrames {
  readonly #operators: BoundOperator[] = []
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
   * @param frames that were stored
   * @param hasOwn whether they say something of the task itself
   * @param portionChars what has more text is written in portions of about so much
   */
  constructor(frames: readonly StateFrame[], hasOwn: boolean, portionChars: number) {
    this.#hasOwn = hasOwn
    this.#portionChars = portionChars
    this.#needsBase = frames.length === 0
    const chain = new FrameChain()
    for (const frame of frames) {
      const role = chain.roleOf(frame)
      if (role === 'all' || role === 'more') this.#baseChars += frame.body.length
      else if (role !== null) this.#deltaChars += frame.body.length
    }
  }

  /** Takes an operator in, with the maps that it was given; it may be given more. */
  bind(holder: StateHolder, maps: ReadonlyMap<string, KeyedState<never>>): void {
    this.#operators.push({ holder, maps, lastSnapshot: null })
  }

  /** What was stored is no longer what is: the next cut gives a base, all of it in the new layout. */
  startAnew(): void {
    this.#needsBase = true
  }

  /** What of the state the cut stores. */
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
