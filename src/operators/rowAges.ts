import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'

/** In which of a table's maps it is kept when rows were refreshed. */
const agesMap = 'refreshed'

/** When each row of a table was refreshed last, by the watermark at that moment, so that those go that were not for long enough. Part of the checkpoint. */
export class RowAges {
  readonly #ttlMs: number
  readonly #rows: Pick<KeyedState<unknown>, 'delete'>
  /** ms UTC; minus infinity until time has begun. */
  readonly #refreshed: KeyedState<number>
  readonly #expiring = new TimerQueue<string>((key, time) => this.#queuedAt.get(key) === time)
  /** At which time a key stands in the queue; only there is it looked at. */
  readonly #queuedAt = new Map<string, number>()
  /** Those that came before time had begun. */
  #early = new Set<string>()

  /**
   * Null where rows stay for good; what was kept when they did not is let go of then.
   * @param ttlMs null for good
   * @param rows that the table has
   */
  static of(restored: Restored, ttlMs: number | null, rows: KeyedState<unknown>): RowAges | null {
    const wasKept = restored.maps.includes(agesMap)
    if (ttlMs === null && !wasKept) return null
    const refreshed = restored.keyed(ageState, agesMap)
    if (ttlMs === null) {
      for (const [key] of [...refreshed.entries()]) refreshed.delete(key)
      return null
    }
    const ages = new RowAges(ttlMs, rows, refreshed)
    // Rows from before there was a ttl are as old as the checkpoint.
    for (const [key] of rows.entries()) {
      const at = refreshed.get(key)
      if (at === undefined) ages.refresh(key, restored.watermark)
      else ages.#lookAt(key, at)
    }
    return ages
  }

  private constructor(ttlMs: number, rows: Pick<KeyedState<unknown>, 'delete'>, refreshed: KeyedState<number>) {
    this.#ttlMs = ttlMs
    this.#rows = rows
    this.#refreshed = refreshed
  }

  /** The row has come, or come again, when the watermark was here. */
  refresh(key: string, watermark: number): void {
    this.#refreshed.set(key, watermark)
    this.#lookAt(key, watermark)
  }

  /** The row is gone. */
  forget(key: string): void {
    this.#refreshed.delete(key)
    this.#early.delete(key)
    if (this.#queuedAt.delete(key)) this.#expiring.withdraw()
  }

  /** Takes away the rows that are too old. */
  expire(watermark: number): void {
    const early = this.#early
    this.#early = new Set()
    for (const key of early) this.refresh(key, watermark)
    for (let due = this.#expiring.take(watermark); due !== undefined; due = this.#expiring.take(watermark)) {
      for (const key of due.items) {
        if (this.#queuedAt.get(key) !== due.time) continue
        this.#queuedAt.delete(key)
        const at = this.#refreshed.get(key)
        if (at === undefined) continue
        if (at + this.#ttlMs > watermark) {
          this.#lookAt(key, at)
          continue
        }
        this.#rows.delete(key)
        this.#refreshed.delete(key)
      }
    }
  }

  #lookAt(key: string, at: number): void {
    if (at === Number.NEGATIVE_INFINITY) this.#early.add(key)
    else if (!this.#queuedAt.has(key)) {
      this.#queuedAt.set(key, at + this.#ttlMs)
      this.#expiring.add(at + this.#ttlMs, key)
    }
  }
}

const ageState: StateCodec<number> = {
  encode: (at) => (at === Number.NEGATIVE_INFINITY ? null : at),
  decode: (saved) => (saved === null ? Number.NEGATIVE_INFINITY : (saved as number)),
}
