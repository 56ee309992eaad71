import type { Json, SavedCheckpoint } from '../../src/index.ts'

/** `[key, value]`, or `[key]` for a deletion. */
export type Pair = readonly [key: string, value?: Json]

/** An operator's part of a frame as release 0.1.0 wrote it. */
export interface FrameOperator {
  readonly name: string
  readonly version: number
  readonly shape: Json
  readonly snapshot: Json
  readonly keyed: readonly Pair[]
}

/** What an operator has saved once base and deltas are put together. */
export interface SavedState {
  readonly snapshot: Json
  readonly keyed: ReadonlyMap<string, Json>
}

interface Frame {
  readonly version: number
  readonly operators: readonly FrameOperator[]
}

/** The frames of a checkpoint of release 0.1.0, oldest first. */
export function framesOf({ state }: SavedCheckpoint): (readonly FrameOperator[])[] {
  return state.map(({ body }) => (JSON.parse(body) as Frame).operators)
}

export function isDeletion(pair: Pair): boolean {
  return pair.length === 1
}

/** The keys that are deleted after the base, once for each time. */
export function deletedKeys(saved: SavedCheckpoint): string[] {
  const [, ...deltas] = framesOf(saved)
  return deltas.flatMap((operators) => operators.flatMap(({ keyed }) => keyed.filter(isDeletion).map(([key]) => key)))
}

/** By operator; only those that hold something. */
export function savedStates(saved: SavedCheckpoint): Map<string, SavedState> {
  const states = new Map<string, { snapshot: Json; readonly keyed: Map<string, Json> }>()
  for (const { name, snapshot, keyed } of framesOf(saved).flat()) {
    const state = states.get(name) ?? { snapshot, keyed: new Map<string, Json>() }
    states.set(name, state)
    state.snapshot = snapshot
    for (const [key, value] of keyed) {
      if (value === undefined) state.keyed.delete(key)
      else state.keyed.set(key, value)
    }
  }
  for (const [name, { snapshot, keyed }] of states) if (snapshot === null && keyed.size === 0) states.delete(name)
  return states
}

/** The checkpoint with other operators in its frames. */
export function withOperators(
  saved: SavedCheckpoint,
  change: (operators: readonly FrameOperator[]) => readonly FrameOperator[],
): SavedCheckpoint {
  const state = saved.state.map(({ kind, body }) => {
    const frame = JSON.parse(body) as Frame
    return { kind, body: JSON.stringify({ ...frame, operators: change(frame.operators) }) }
  })
  return { ...saved, state }
}
