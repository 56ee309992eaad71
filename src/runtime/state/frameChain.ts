import type { StateFrame } from '../store/checkpoint.ts'

/** What a frame says: the beginning of all there is, more of it, or what changed; `known` where that counts only for keys that came before. */
export type FrameRole = 'all' | 'more' | 'changes' | 'known changes'

/**
 * What each frame of a task counts for, told of one after the other, oldest first: those of a whole state that is written in portions only once the last of them is stored, for then the frames begin with the
 * first of them.
 */
export class FrameChain {
  #isEmpty = true
  #isInPortions = false

  /** Null for a frame that does not count. */
  roleOf({ kind }: Pick<StateFrame, 'kind'>): FrameRole | null {
    const isFirst = this.#isEmpty
    this.#isEmpty = false
    if (kind === 'delta') return this.#isInPortions ? 'known changes' : 'changes'
    if (kind === 'base') return 'all'
    if (kind === 'first') {
      if (!isFirst) return null
      this.#isInPortions = true
      return 'all'
    }
    if (!this.#isInPortions) return null
    this.#isInPortions = kind === 'further'
    return 'more'
  }
}

/** What a store keeps once it has stored the frames of a checkpoint, in their order, behind those that it had. */
export function keptFrames(before: readonly StateFrame[], stored: readonly StateFrame[]): readonly StateFrame[] {
  let frames = before
  for (const frame of stored) frames = keptWith(frames, frame)
  return frames
}

function keptWith(before: readonly StateFrame[], frame: StateFrame): readonly StateFrame[] {
  if (frame.kind === 'base') return [frame]
  if (frame.kind === 'last') {
    const first = before.findLastIndex(({ kind }) => kind === 'first')
    return [...before.slice(Math.max(first, 0)), frame]
  }
  if (frame.kind !== 'first') return [...before, frame]
  // Portions since the last whole state are of one that was given up.
  const whole = before.findLastIndex(({ kind }) => kind === 'base' || kind === 'last')
  return [...before.filter(({ kind }, i) => i <= whole || kind === 'delta'), frame]
}

/** The frames of one checkpoint, in the order in which they are stored. */
export function framesOf({
  state,
  portion,
}: {
  readonly state: StateFrame
  readonly portion?: StateFrame | undefined
}): readonly StateFrame[] {
  return portion === undefined ? [state] : [state, portion]
}
