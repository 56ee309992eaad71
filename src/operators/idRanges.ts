import type { Json } from '../runtime/json.ts'

/** A set of whole numbers as unbroken runs, with the newest time at which each run was added to. */
export class IdRanges {
  /** Ascending and never adjacent. */
  readonly #from: number[] = []
  readonly #to: number[] = []
  readonly #newest: number[] = []

  static decode(saved: Json): IdRanges {
    const ranges = new IdRanges()
    for (const [from, to, newest] of saved as unknown as readonly (readonly [number, number, number])[]) {
      ranges.#from.push(from)
      ranges.#to.push(to)
      ranges.#newest.push(newest)
    }
    return ranges
  }

  encode(): Json {
    return this.#from.map((from, i) => [from, this.#to[i] as number, this.#newest[i] as number])
  }

  get isEmpty(): boolean {
    return this.#from.length === 0
  }

  /** False when the id was in the set already. */
  add(id: number, time: number): boolean {
    let at = this.#from.length - 1
    while (at >= 0 && (this.#from[at] as number) > id) at--
    // Now run `at` is the last that starts at or below the id.
    if (at >= 0 && id <= (this.#to[at] as number)) return false
    const joinsBelow = at >= 0 && (this.#to[at] as number) === id - 1
    const joinsAbove = at + 1 < this.#from.length && (this.#from[at + 1] as number) === id + 1
    if (joinsBelow) {
      this.#to[at] = id
      if (time > (this.#newest[at] as number)) this.#newest[at] = time
      if (joinsAbove) this.#mergeWithNext(at)
    } else if (joinsAbove) {
      this.#from[at + 1] = id
      if (time > (this.#newest[at + 1] as number)) this.#newest[at + 1] = time
    } else {
      this.#from.splice(at + 1, 0, id)
      this.#to.splice(at + 1, 0, id)
      this.#newest.splice(at + 1, 0, time)
    }
    return true
  }

  /** True when some run was last added to at or before the time. */
  isStale(time: number): boolean {
    return this.#newest.some((newest) => newest <= time)
  }

  forget(time: number): void {
    for (let i = this.#newest.length - 1; i >= 0; i--) if ((this.#newest[i] as number) <= time) this.#remove(i)
  }

  #mergeWithNext(at: number): void {
    this.#to[at] = this.#to[at + 1] as number
    this.#newest[at] = Math.max(this.#newest[at] as number, this.#newest[at + 1] as number)
    this.#remove(at + 1)
  }

  #remove(at: number): void {
    this.#from.splice(at, 1)
    this.#to.splice(at, 1)
    this.#newest.splice(at, 1)
  }
}
