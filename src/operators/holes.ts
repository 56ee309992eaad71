import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { pairName } from './pairName.ts'

/** Says of a key that values of a stretch of its past are missing, or no longer. It goes through a window beside the values (`takesHoles`). */
export class Hole {
  /** As the window's `by` gives it. */
  readonly key: string
  /** Tells it from other holes of the key. */
  readonly id: string
  /** Event time of the first value that may be missing, ms UTC. */
  readonly from: number
  /** Event time of the last value that may be missing, ms UTC. */
  readonly to: number
  /** True when nothing more will come for it. */
  readonly isOver: boolean

  /** Times are ms UTC. */
  constructor(facts: Pick<Hole, 'key' | 'id' | 'from' | 'to' | 'isOver'>) {
    this.key = facts.key
    this.id = facts.id
    this.from = facts.from
    this.to = facts.to
    this.isOver = facts.isOver
  }
}

/** The holes of the keys of one operator that are open. Part of its checkpoint. */
export class OpenHoles {
  readonly #saved: KeyedState<Hole>
  readonly #byKey = new Map<string, Hole[]>()

  constructor(restored: Restored) {
    this.#saved = restored.keyed<Hole>(holeState, 'holes')
    for (const [name, hole] of [...this.#saved.entries()]) {
      this.#rename(name, hole)
      this.#remember(hole)
    }
  }

  /**
   * Opens it, as far as it is not before `earliest`: what was kept for the time before that is gone, but for what it has held open itself. Gives what it was before, if it was open.
   */
  open(hole: Hole, earliest: number): Hole | undefined {
    const before = this.close(hole)
    const from = Math.max(hole.from, Math.min(earliest, before?.from ?? earliest))
    if (from > hole.to) return before
    const kept = new Hole({ ...hole, from })
    this.#saved.set(nameOf(hole), kept)
    this.#remember(kept)
    return before
  }

  /** The hole as it was kept, or undefined where it is not open. */
  close(hole: Hole): Hole | undefined {
    const kept = this.#saved.get(nameOf(hole))
    if (kept === undefined) return undefined
    this.#saved.delete(nameOf(hole))
    const others = (this.#byKey.get(hole.key) ?? []).filter((one) => one !== kept)
    if (others.length === 0) this.#byKey.delete(hole.key)
    else this.#byKey.set(hole.key, others)
    return kept
  }

  /** Whether a value of the key may still come for `[start, end)`. */
  touch(key: string, start: number, end: number): boolean {
    if (this.#byKey.size === 0) return false
    return this.#byKey.get(key)?.some(({ from, to }) => from < end && to >= start) ?? false
  }

  /** Before, a blank stood between id and key. */
  #rename(name: string, hole: Hole): void {
    if (name === nameOf(hole)) return
    this.#saved.delete(name)
    this.#saved.set(nameOf(hole), hole)
  }

  #remember(hole: Hole): void {
    const known = this.#byKey.get(hole.key)
    if (known === undefined) this.#byKey.set(hole.key, [hole])
    else known.push(hole)
  }
}

function nameOf({ key, id }: Hole): string {
  return pairName(id, key)
}

const holeState: StateCodec<Hole> = {
  encode: ({ key, id, from, to }) => [key, id, from, to],
  decode: (saved) => {
    const [key, id, from, to] = saved as unknown as readonly [string, string, number, number]
    return new Hole({ key, id, from, to, isOver: false })
  },
}
