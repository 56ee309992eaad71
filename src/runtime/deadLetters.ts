import type { DeadLetter } from './checkpoint.ts'
import type { RecordView } from './record.ts'

/** Where a value came from, copied out of the record view so that it can be set aside later. */
export interface Origin {
  readonly offset: number
  readonly ordinal: number
  readonly recordTime: number | null
  readonly key: string | null
  readonly payload: Uint8Array | null
}

/** Why something is set aside, by whom. */
export interface Rejected {
  readonly operator: string
  readonly reason: string
  readonly detail: string
}

/** Collects dead letters between two cuts and numbers those of one record and operator, so that a replay gives each the same identity. */
export class DeadLetterCollector {
  #letters: DeadLetter[] = []
  #numberedOffset = -1
  readonly #ordinals = new Map<string, number>()

  /** Copies key and payload out of the record that is being pushed; without one the letter stands at the last offset, with no payload. */
  originOf(operator: string, record: RecordView | null, lastOffset: number): Origin {
    const offset = record === null ? lastOffset : record.offset
    return {
      offset,
      ordinal: this.#nextOrdinal(operator, offset),
      recordTime: record === null || record.timestamp < 0 ? null : record.timestamp,
      key: record === null ? null : record.keyText(),
      payload: record === null ? null : record.valueCopy(),
    }
  }

  add(origin: Origin, rejected: Rejected): void {
    const key = origin.key === null ? null : Buffer.from(origin.key)
    this.#letters.push({ ...rejected, ...origin, key, headers: [] })
  }

  get count(): number {
    return this.#letters.length
  }

  take(): DeadLetter[] {
    const letters = this.#letters
    this.#letters = []
    return letters
  }

  #nextOrdinal(operator: string, offset: number): number {
    if (offset !== this.#numberedOffset) {
      this.#numberedOffset = offset
      this.#ordinals.clear()
    }
    const ordinal = this.#ordinals.get(operator) ?? 0
    this.#ordinals.set(operator, ordinal + 1)
    return ordinal
  }
}
