import type { TakenOrder } from '../inputs/takenOrder.ts'
import { placeKey } from './deadLetters.ts'
import type { Emission, LeftOut, StepFailure } from './stepFailure.ts'

interface Place {
  readonly input: number
  readonly offset: number
  readonly leftOut: readonly LeftOut[]
}

/**
 * What attempts at a task learn from the failures of those before: the values that steps of the graph have failed on, by the record at which they were emitted, and
 * up to where there is a row that the store could not take.
 *
 * The first failure of a step at a record has the next attempt watch there, the second says which value it is: they are numbered from
 * there. Only that it is the whole record needs no number.
 */
export class LeftOutValues {
  readonly #places = new Map<string, Place>()
  #badRowUpTo = -1
  #order: TakenOrder | null = null

  /** The checkpoint up to these offsets has a row that its table cannot hold. */
  learnBadRow(nextOffsets: readonly number[]): void {
    this.#badRowUpTo = Math.max(this.#badRowUpTo, total(nextOffsets))
  }

  /** True while rows must be looked at one by one. A cut at the very place may bring the row once more. */
  hasBadRowFrom(nextOffsets: readonly number[]): boolean {
    return total(nextOffsets) <= this.#badRowUpTo
  }

  /** In which order the last attempt that failed on a value did what it did: the next one does the same, so that it meets the value where it was. Null where there is none. */
  get order(): TakenOrder | null {
    return this.isEmpty ? null : this.#order
  }

  /**
   * False when nothing new was learnt, so that another attempt would fail as well.
   * @param order of the attempt that failed; null where whoever tries again knows it
   */
  learn({ input, offset = -1, emission, reason, detail }: StepFailure, order: TakenOrder | null): boolean {
    this.#order = order
    const key = placeKey(input, offset)
    const known = this.#places.get(key)?.leftOut ?? (emission?.operator === null ? [] : undefined)
    if (known === undefined) {
      this.#places.set(key, { input, offset, leftOut: [] })
      return true
    }
    if (emission === null) return false
    const { operator, ordinal, leftOutBelow } = emission
    if (known.some((one) => isSame(one, emission))) return false
    const lasting = known.filter((one) => !leftOutBelow.some((gone) => isSame(one, gone)))
    this.#places.set(key, { input, offset, leftOut: [...lasting, { operator, ordinal, reason, detail }] })
    return true
  }

  /** What to leave out at the record; undefined where nothing has failed. */
  at(input: number, offset: number): readonly LeftOut[] | undefined {
    return this.#places.size === 0 ? undefined : this.#places.get(placeKey(input, offset))?.leftOut
  }

  get isEmpty(): boolean {
    return this.#places.size === 0
  }

  /** True when there are some at or behind these offsets. */
  hasFrom(nextOffsets: readonly number[]): boolean {
    for (const { input, offset } of this.#places.values()) if (offset >= (nextOffsets[input] as number)) return true
    return false
  }

  /** Those before these offsets are committed as left out, and are not met again. */
  forgetBefore(nextOffsets: readonly number[]): void {
    for (const [key, { input, offset }] of this.#places) {
      if (offset < (nextOffsets[input] as number)) this.#places.delete(key)
    }
  }
}

function total(offsets: readonly number[]): number {
  return offsets.reduce((sum, offset) => sum + offset, 0)
}

function isSame(a: Emission, b: Emission): boolean {
  return a.operator === b.operator && a.ordinal === b.ordinal
}
