import type { LeftOut, StepFailure } from './stepFailure.ts'

/**
 * The values that steps of a graph have failed on, by the offset at which they were emitted.
 *
 * Learns from each failure: the first at an offset has the next attempt watch there, the second says which value it is.
 */
export class LeftOutValues {
  readonly #byOffset = new Map<number, LeftOut[]>()

  /** False when nothing new was learnt, so that another attempt would fail as well. */
  learn({ offset = -1, emission, detail }: StepFailure): boolean {
    const known = this.#byOffset.get(offset)
    if (known === undefined) {
      this.#byOffset.set(offset, [])
      return true
    }
    if (emission === null) return false
    const isKnown = known.some(
      ({ operator, ordinal }) => operator === emission.operator && ordinal === emission.ordinal,
    )
    if (!isKnown) known.push({ ...emission, detail })
    return !isKnown
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
