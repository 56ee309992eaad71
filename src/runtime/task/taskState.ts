import { ConfigurationError, StateMismatchError } from '../errors.ts'
import { Origin, placeKey } from '../letters/deadLetters.ts'
import { LetterNumbers } from '../letters/letterNumbers.ts'
import type { OperatorSpec, Restored } from '../operator/operator.ts'
import type { PipelineOptions } from '../pipeline/pipeline.ts'
import { fits, migrated } from '../state/fittingState.ts'
import { KeyedState, type StateCodec } from '../state/keyedState.ts'
import { decodeOwnState, type OwnState } from '../state/ownState.ts'
import { nameToday, renameOwn, renameSaved } from '../state/renamedOperators.ts'
import { readFrames, type SavedOperator, settled, taskItself, unnamedMap } from '../state/savedState.ts'
import { naming } from '../state/stateCode.ts'
import { type StateCut, StateFrames, type StateHolder } from '../state/stateFrames.ts'
import type { StateFrame } from '../store/checkpoint.ts'

/**
 * The saved state of a task's operators: hands it out by name while the graph is built, and takes it in again at each cut (`StateFrames`).
 *
 * Refuses what would lose state without a word. After a migration the next cut gives all of it in the new layout.
 */
export class TaskState {
  readonly #pipeline: PipelineOptions
  readonly #saved: Map<string, SavedOperator>
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
  readonly #frames: StateFrames

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
    this.#watermark = watermark
    const { saved, isChanged } = renameSaved(readFrames(frames), pipeline)
    this.#saved = saved
    const own = this.#saved.get(taskItself)?.snapshot
    this.#frames = new StateFrames(frames, own != null, portionChars)
    // What was saved under an old name must be gone from the frames once there is something under the new one.
    if (isChanged) this.#frames.startAnew()
    this.own = renameOwn(decodeOwnState(own), pipeline)
    const { ordinals, lastInput, lastOffset } = this.own
    for (const [operator, next] of ordinals) this.lastOrdinals.goOnAt(operator, next)
    this.lastOffset = lastOffset ?? (nextOffsets[lastInput] ?? 0) - 1
    this.#ordinals.set(placeKey(lastInput, this.lastOffset), this.lastOrdinals)
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
    this.#frames.bind(holder, maps)
  }

  /** Saved state that no operator asked for means that one was renamed or removed: its windows and ids would be lost without a word. */
  checkRetired(): void {
    const pipeline = this.#pipeline
    for (const name of this.#saved.keys()) {
      if (this.#taken.has(name)) continue
      if (pipeline.retired?.includes(name) === true) {
        this.#frames.startAnew()
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

  /** What of the state the cut stores. */
  take(ownState: OwnState): StateCut {
    return this.#frames.take(ownState)
  }

  #fittingFor(spec: OperatorSpec): SavedOperator | undefined {
    const found = this.#saved.get(spec.name)
    if (found === undefined || fits(spec, found)) return found
    this.#frames.startAnew()
    return migrated(spec, settled(found))
  }
}
