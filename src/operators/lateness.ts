import type { Json } from '../runtime/json.ts'
import type { Restored } from '../runtime/operator/operator.ts'

interface SavedLateness {
  readonly allowedLatenessMs: number
  /** Windows whose last ms is at or before it are over for good; null for none. */
  readonly over: number | null
}

const onTime: SavedLateness = { allowedLatenessMs: 0, over: null }

/**
 * Which windows are over, for how long they may be corrected being changed between two starts: what was over under the old time stays over, because what was
 * kept for it is gone.
 */
export class Lateness {
  readonly #allowedLatenessMs: number
  readonly #over: number

  constructor(allowedLatenessMs: number, restored: Restored) {
    this.#allowedLatenessMs = allowedLatenessMs
    const { snapshot } = restored
    // An earlier release saved a number for sessions, which could not be late.
    const saved = typeof snapshot === 'number' ? onTime : (snapshot as unknown as SavedLateness | undefined)
    const known = saved?.over ?? Number.NEGATIVE_INFINITY
    const isSame = saved === undefined || saved.allowedLatenessMs === allowedLatenessMs
    this.#over = isSame ? known : Math.max(known, restored.watermark - saved.allowedLatenessMs)
  }

  /** @param last the last ms of the window */
  isOver(last: number, watermark: number): boolean {
    return watermark >= last + this.#allowedLatenessMs || last <= this.#over
  }

  /** Windows whose last ms is at or before it are over. */
  overUntil(watermark: number): number {
    return Math.max(this.#over, watermark - this.#allowedLatenessMs)
  }

  snapshot(): Json {
    return { allowedLatenessMs: this.#allowedLatenessMs, over: Number.isFinite(this.#over) ? this.#over : null }
  }
}
