import type { Emission, LeftOut, StepFailure } from './stepFailure.ts'

/**
 * What attempts at a task learn from the failures of those before: the values that steps of the graph have failed on, by the offset at which they were emitted, and
 * up to where there is a row that the store could not take.
 *
 * The first failure of a step at an offset has the next attempt watch there, the second says which value it is.
 */
export class LeftOutValues {
  readonly #byOffset = new Map<number, LeftOut[]>()
  #badRowUpTo = -1

  /** The checkpoint up to this offset has a row that its table cannot hold. */
  learnBadRow(nextOffset: number): void {
    this.#badRowUpTo = Math.max(this.#badRowUpTo, nextOffset)
  }

  /** True while rows must be looked at one by one. A cut at the very offset may bring the row once more. */
  hasBadRowFrom(offset: number): boolean {
    return offset <= this.#badRowUpTo
  }

  /** False when nothing new was learnt, so that another attempt would fail as well. */
  learn({ offset = -1, emission, detail }: StepFailure): boolean {
    const known = this.#byOffset.get(offset)
    if (known === undefined) {
      this.#byOffset.set(offset, [])
      return true
    }
    if (emission === null) return false
    const { operator, ordinal, leftOutBelow } = emission
    if (known.some((one) => isSame(one, emission))) return false
    const lasting = known.filter((one) => !leftOutBelow.some((gone) => isSame(one, gone)))
    this.#byOffset.set(offset, [...lasting, { operator, ordinal, detail }])
    return true
  }

  /** What to leave out at the offset; undefined where nothing has failed. */
  at(offset: number): readonly LeftOut[] | undefined {
    return this.#byOffset.get(offset)
  }

  get isEmpty(): boolean {
    return this.#byOffset.size === 0
  }

  /** True when there are some at or behind the offset. */
  hasFrom(offset: number): boolean {
    for (const one of this.#byOffset.keys()) if (one >= offset) return true
    return false
  }

  /** Those before the offset are committed as left out, and are not met again. */
  forgetBefore(offset: number): void {
    for (const one of this.#byOffset.keys()) if (one < offset) this.#byOffset.delete(one)
  }
}

function isSame(a: Emission, b: Emission): boolean {
  return a.operator === b.operator && a.ordinal === b.ordinal
}
