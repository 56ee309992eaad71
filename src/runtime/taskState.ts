import type { StateFrame } from './checkpoint.ts'
import { ConfigurationError, StateMismatchError } from './errors.ts'
import type { Json } from './json.ts'
import { KeyedState } from './keyedState.ts'
import type { Logic, OperatorSpec, Restored } from './operator.ts'
import type { Pipeline } from './pipeline.ts'
import { frameText, operatorText, readFrames, type SavedOperator } from './savedState.ts'

interface BoundOperator {
  readonly name: string
  readonly version: number
  readonly shape: Json
  readonly snapshot: (() => Json) | undefined
  readonly keyed: KeyedState<never> | undefined
  lastSnapshot: string
}

const smallestRebaseChars = 64 * 1024

/**
 * The saved state of a task's operators: hands it out by name while the graph is built, and takes it in again at each cut.
 *
 * A cut gives a delta of what changed; once the deltas since the last base outweigh it, the next cut gives a base. So what is stored, and what a restore
 * reads, stays within about twice the size of the state.
 */
export class TaskState {
  readonly #saved: Map<string, SavedOperator>
  readonly #operators: BoundOperator[] = []
  readonly #taken = new Set<string>()
  readonly #keyed = new Map<string, KeyedState<never>>()
  #baseChars = 0
  #deltaChars = 0
  #needsBase: boolean

  constructor(frames: readonly StateFrame[]) {
    this.#saved = readFrames(frames)
    this.#needsBase = frames.length === 0
    for (const frame of frames) {
      if (frame.kind === 'base') this.#baseChars = frame.body.length
      else this.#deltaChars += frame.body.length
    }
  }

  restoredFor(spec: OperatorSpec): Restored {
    if (this.#taken.has(spec.name)) {
      throw new ConfigurationError(
        `two operators of one pipeline are called ${JSON.stringify(spec.name)}; their saved state would mix. Give one of them another name.`,
      )
    }
    this.#taken.add(spec.name)
    const found = this.#saved.get(spec.name)
    const saved = found === undefined ? undefined : fitting(spec, found)
    let isHandedOut = false
    return {
      snapshot: saved?.snapshot ?? undefined,
      keyed: (codec) => {
        if (isHandedOut) throw new ConfigurationError(`${spec.name}: an operator has at most one keyed state`)
        isHandedOut = true
        const state = new KeyedState(codec)
        this.#keyed.set(spec.name, state as KeyedState<never>)
        if (saved !== undefined) state.restore(saved.keyed)
        return state
      },
    }
  }

  bind(spec: OperatorSpec, logic: Logic<never>): void {
    const keyed = this.#keyed.get(spec.name)
    if (logic.snapshot === undefined && keyed === undefined) return
    this.#operators.push({
      name: spec.name,
      version: spec.version ?? 1,
      shape: spec.shape ?? null,
      snapshot: logic.snapshot === undefined ? undefined : () => logic.snapshot?.() ?? null,
      keyed,
      lastSnapshot: '',
    })
  }

  /** Saved state that no operator asked for means that one was renamed or removed: its windows and ids would be lost without a word. */
  checkRetired(pipeline: Pipeline): void {
    for (const name of this.#saved.keys()) {
      if (this.#taken.has(name) || pipeline.retired?.includes(name) === true) continue
      const known = [...this.#taken].join(', ')
      throw new StateMismatchError(
        `pipeline ${pipeline.name}: operator ${JSON.stringify(name)} has saved state but is not in the pipeline (it has: ${known}). ` +
          `If it was renamed, give it its old name back; if it was removed, add it to the pipeline's "retired" list to drop its state.`,
        { pipeline: pipeline.name },
      )
    }
    this.#saved.clear()
  }

  take(): StateFrame {
    const isBase = this.#needsBase || this.#deltaChars > Math.max(this.#baseChars, smallestRebaseChars)
    const parts: string[] = []
    for (const operator of this.#operators) {
      const snapshot = operator.snapshot?.() ?? null
      const snapshotText = JSON.stringify(snapshot)
      const keyed = (isBase ? operator.keyed?.takeBase() : operator.keyed?.takeDelta()) ?? '[]'
      if (!isBase && keyed === '[]' && snapshotText === operator.lastSnapshot) continue
      operator.lastSnapshot = snapshotText
      parts.push(operatorText(operator.name, operator.version, operator.shape, snapshot, keyed))
    }
    const body = frameText(parts)
    if (isBase) {
      this.#needsBase = false
      this.#baseChars = body.length
      this.#deltaChars = 0
    } else this.#deltaChars += body.length
    return { kind: isBase ? 'base' : 'delta', body }
  }
}

function fitting(spec: OperatorSpec, saved: SavedOperator): SavedOperator {
  const version = spec.version ?? 1
  const shape = spec.shape ?? null
  const fits = (candidate: SavedOperator) =>
    candidate.version === version && canonical(candidate.shape) === canonical(shape)
  if (fits(saved)) return saved
  if (saved.version > version) {
    throw new StateMismatchError(
      `${spec.name}: the saved state has version ${saved.version}, this release writes ${version}. Run the newer release, ` +
        'or start under a new pipeline name, which reads the log from its beginning.',
    )
  }
  const migrated = spec.migrate?.(saved)
  if (migrated !== undefined && fits(migrated)) return migrated
  throw new StateMismatchError(
    `${spec.name}: the saved state was made with version ${saved.version} and options ${canonical(saved.shape)}, now they are version ${version} ` +
      `and ${canonical(shape)}. Put the options back, give the operator a migrate function, or start under a new pipeline name.`,
  )
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
