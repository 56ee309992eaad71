import type { StateFrame } from './checkpoint.ts'
import { StateMismatchError } from './errors.ts'
import type { Json } from './json.ts'

/** Layout of a state frame's text. Raised when older frames could no longer be read. */
const frameVersion = 1

export type KeyedPair = readonly [string, Json] | readonly [string]

/** What an operator saved: its small snapshot and its keyed state, with the version and the options that shaped them. */
export interface SavedOperator {
  readonly version: number
  readonly shape: Json
  readonly snapshot: Json
  readonly keyed: readonly KeyedPair[]
}

interface FrameOperator extends SavedOperator {
  readonly name: string
}

interface Frame {
  readonly version: number
  readonly operators: readonly FrameOperator[]
}

/** One operator's part of a frame as text; `keyed` is JSON text already, because that is what `KeyedState` gives. */
export function operatorText(name: string, version: number, shape: Json, snapshot: Json, keyed: string): string {
  return (
    `{"name":${JSON.stringify(name)},"version":${version},"shape":${JSON.stringify(shape)},` +
    `"snapshot":${JSON.stringify(snapshot)},"keyed":${keyed}}`
  )
}

export function frameText(operators: readonly string[]): string {
  return `{"version":${frameVersion},"operators":[${operators.join(',')}]}`
}

/** Reads a base and the deltas after it into what each operator saved, by name. */
export function readFrames(frames: readonly StateFrame[]): Map<string, SavedOperator> {
  const saved = new Map<string, SavedOperator & { readonly keyed: KeyedPair[] }>()
  for (const frame of frames) {
    const { version, operators } = JSON.parse(frame.body) as Frame
    if (version !== frameVersion) {
      throw new StateMismatchError(
        `the saved state has layout version ${version}; this release reads ${frameVersion}. ` +
          'Run the release that wrote it, or start under a new pipeline name.',
      )
    }
    if (frame.kind === 'base') saved.clear()
    for (const { name, ...operator } of operators) {
      const keyed = saved.get(name)?.keyed ?? []
      for (const pair of operator.keyed) keyed.push(pair)
      saved.set(name, { ...operator, keyed })
    }
  }
  return saved
}
