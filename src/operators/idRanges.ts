import type { Json } from '../runtime/json.ts'

/** An unbroken run of ids, both ends included, with the newest time at which it was added to. */
interface Run {
  from: number
  to: number
  newest: number
}

/**
 * A set of whole numbers as unbroken runs, with the newest time at which each run was added to.
 *
 * The highest run, which nearly every id goes on with, lies in fields of its own: of a set without gaps nothing else is touched.
 */
export class IdRanges {
  /** Empty while `#to` is below `#from`, which it is only while there are no lower runs either. */
  #from = 0
  #to = -1
  #newest = 0
  /** Below the highest run, ascending and never adjacent; null until there is a gap. */
  #lower: Run[] | null = null
  /** When whoever keeps the set looks for runs to forget. */
  expiresAt = Number.POSITIVE_INFINITY
  /** Set when an id has begun a run of its own, which may be over before the others; whoever looks takes it back. */
  hasNewRun = false

  static decode(saved: Json): IdRanges {
    const ranges = new IdRanges()
    const runs = saved as unknown as readonly (readonly [number, number, number])[]
    ranges.#fold(runs.map(([from, to, newest]) => ({ from, to, newest })))
    return ranges
  }

  encode(): Json {
    const runs = this.#unfold()
    const saved = runs.map(({ from, to, newest }) => [from, to, newest])
    this.#fold(runs)
    return saved
  }

  get isEmpty(): boolean {
    return this.#to < this.#from
  }

  /** False when the id was in the set already. */
  add(id: number, time: number): boolean {
    if (id <= this.#to && id >= this.#from) return false
    if (id !== this.#to + 1 || this.isEmpty) return this.#addApart(id, time)
    this.#to = id
    if (time > this.#newest) this.#newest = time
    return true
  }

  /** The time at which the run that was not added to for longest got its newest id; of an empty set 0. */
  get oldest(): number {
    let oldest = this.#newest
    if (this.#lower !== null) for (const run of this.#lower) if (run.newest < oldest) oldest = run.newest
    return oldest
  }

  /** True when some run was last added to at or before the time. */
  isStale(time: number): boolean {
    if (this.isEmpty) return false
    return this.#newest <= time || this.#lower?.some((run) => run.newest <= time) === true
  }

  forget(time: number): void {
    this.#fold(this.#unfold().filter((run) => run.newest > time))
  }

  #addApart(id: number, time: number): boolean {
    const runs = this.#unfold()
    const isNew = addTo(runs, id, time)
    if (isNew) this.hasNewRun = true
    this.#fold(runs)
    return isNew
  }

  /** All runs in one array, which must be given back to `#fold`. */
  #unfold(): Run[] {
    const runs = this.#lower ?? []
    if (!this.isEmpty) runs.push({ from: this.#from, to: this.#to, newest: this.#newest })
    return runs
  }

  #fold(runs: Run[]): void {
    const { from, to, newest } = runs.pop() ?? { from: 0, to: -1, newest: 0 }
    this.#from = from
    this.#to = to
    this.#newest = newest
    this.#lower = runs.length === 0 ? null : runs
  }
}

function addTo(runs: Run[], id: number, time: number): boolean {
  let at = runs.length - 1
  while (at >= 0 && (runs[at] as Run).from > id) at--
  // Now run `at` is the last that starts at or below the id.
  const below = runs[at]
  const above = runs[at + 1]
  if (below !== undefined && id <= below.to) return false
  if (below?.to === id - 1) {
    below.to = id
    below.newest = Math.max(below.newest, time)
    if (above?.from === id + 1) {
      below.to = above.to
      below.newest = Math.max(below.newest, above.newest)
      runs.splice(at + 1, 1)
    }
  } else if (above?.from === id + 1) {
    above.from = id
    above.newest = Math.max(above.newest, time)
  } else runs.splice(at + 1, 0, { from: id, to: id, newest: time })
  return true
}
