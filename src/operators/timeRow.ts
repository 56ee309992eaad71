import { firstNot } from './firstNot.ts'

interface Timed {
  /** Event time, ms UTC. */
  readonly at: number
}

/** So many lie together at most; a half of them goes apart where there are more. */
const mostTogether = 128

/**
 * Values by time, and those of one time in the order in which they came. However many there are, to enter one in the middle or to take the first one moves few others.
 *
 * Keeps what was added until it is taken.
 */
export class TimeRow<V extends Timed> {
  /** All before `#newest`, in blocks that are never empty; null while there is none. */
  #older: V[][] | null = null
  /** Empty only where there are no others. */
  #newest: V[] = []

  get first(): V | undefined {
    return this.#firstBlock[0]
  }

  get second(): V | undefined {
    return this.#firstBlock[1] ?? (this.#older === null ? undefined : (this.#older[1] ?? this.#newest)[0])
  }

  /** The last one at or before the time. */
  lastUntil(time: number): V | undefined {
    const block = this.#blockOf(time)
    return block[firstNot(block, ({ at }) => at <= time) - 1]
  }

  /** Those with `from <= at <= to`. */
  between(from: number, to: number): readonly V[] {
    const older = this.#older ?? []
    const found: V[] = []
    for (let i = firstNot(older, (block) => (block.at(-1) as V).at < from); i <= older.length; i += 1) {
      const block = older[i] ?? this.#newest
      for (let next = firstNot(block, ({ at }) => at < from); next < block.length; next += 1) {
        const one = block[next] as V
        if (one.at > to) return found
        found.push(one)
      }
    }
    return found
  }

  add(value: V): void {
    const block = this.#blockOf(value.at)
    const last = block.at(-1)
    if (last === undefined || last.at <= value.at) block.push(value)
    else {
      const place = firstNot(block, ({ at }) => at <= value.at)
      block.splice(place, 0, value)
    }
    if (block.length > mostTogether) this.#split(block)
  }

  /** Takes the first one out. */
  shift(): void {
    this.#firstBlock.shift()
    if (this.#older?.[0]?.length === 0) this.#older.shift()
    if (this.#older?.length === 0) this.#older = null
  }

  get #firstBlock(): V[] {
    return this.#older?.[0] ?? this.#newest
  }

  /** The last block that begins at or before the time, or else the first. */
  #blockOf(time: number): V[] {
    const older = this.#older
    if (older === null || (this.#newest[0] as V).at <= time) return this.#newest
    return older[Math.max(0, firstNot(older, ([first]) => (first as V).at <= time) - 1)] as V[]
  }

  #split(block: V[]): void {
    const later = block.splice(mostTogether / 2)
    const older = this.#older ?? []
    if (block === this.#newest) {
      older.push(block)
      this.#newest = later
    } else older.splice(older.indexOf(block) + 1, 0, later)
    this.#older = older
  }
}
