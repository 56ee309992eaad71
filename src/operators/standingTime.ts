import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import type { Hole } from './holes.ts'
import { pairName } from './pairName.ts'

/**
 * Time for whoever forgets by it above windows that holes keep open: while a hole is open it stands where it was when that was told, so that what was known then stays known. It never goes back.
 *
 * Keeps one number for each hole that is open; they are part of the checkpoint.
 */
export class StandingTime {
  readonly #toldAt: KeyedState<number>
  #earliest = Number.POSITIVE_INFINITY

  constructor(restored: Restored) {
    this.#toldAt = restored.keyed(watermarkState, 'holes')
    this.#findEarliest()
  }

  /** @param watermark at which the hole is told; of one that is told again the first counts */
  note({ key, id, isOver }: Hole, watermark: number): void {
    const name = pairName(id, key)
    if ((this.#toldAt.get(name) !== undefined) !== isOver) return
    if (isOver) {
      this.#toldAt.delete(name)
      this.#findEarliest()
    } else {
      this.#toldAt.set(name, watermark)
      this.#earliest = Math.min(this.#earliest, watermark)
    }
  }

  /** The watermark, or where it stands. */
  at(watermark: number): number {
    return Math.min(watermark, this.#earliest)
  }

  #findEarliest(): void {
    this.#earliest = Number.POSITIVE_INFINITY
    for (const [, watermark] of this.#toldAt.entries()) this.#earliest = Math.min(this.#earliest, watermark)
  }
}

/** Before the first time is told there is none that JSON has. */
const watermarkState: StateCodec<number> = {
  encode: (watermark) => (Number.isFinite(watermark) ? watermark : null),
  decode: (saved) => (saved === null ? Number.NEGATIVE_INFINITY : (saved as number)),
}
