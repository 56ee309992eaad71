import type { SkippedRange } from '../store/checkpoint.ts'

/** The offsets of one input that are left out because a person said so. */
export class SkippedOffsets {
  /** By their beginnings. */
  readonly #ranges: readonly SkippedRange[]

  constructor(ranges: readonly SkippedRange[], input: number) {
    this.#ranges = ranges.filter((range) => range.input === input).sort((a, b) => a.fromOffset - b.fromOffset)
  }

  /** The offset itself, or the first one behind it that is not left out. */
  behind(offset: number): number {
    let at = offset
    for (const { fromOffset, toOffset } of this.#ranges) if (fromOffset <= at && at < toOffset) at = toOffset
    return at
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  has(offset: number): boolean {
    return this.#ranges.length > 0 && this.behind(offset) !== offset
  }
}
