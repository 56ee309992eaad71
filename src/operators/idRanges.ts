import type { Json } from '../runtime/json.ts'
import { HighestRuns } from './highestRuns.ts'

/** An unbroken run of ids, both ends included, with the newest time at which it was added to. */
interface Run {
  from: number
  to: number
  newest: number
}

/** Runs below those that lie with the key itself, in ascending order. A part of the state with a name of its own, written when it changes and not with every id of the key. */
export interface RunBlock {
  /** Of the key's blocks. */
  readonly name: string
  readonly runs: Run[]
}

/** So many runs lie together at most, with the key or in a block; a half of them goes apart where there are more. */
const mostRuns = 64

/**
 * A set of whole numbers as unbroken runs, with the newest time at which each run was added to.
 *
 * The highest run, which nearly every id goes on with, lies beside those of other sets: of a set without gaps nothing else is touched. Of many runs the lower ones lie in blocks, so that
 * what an id changes is small however many there are.
 */
export class IdRanges {
  /** Its highest run is empty only while there are no lower runs either. */
  #highest: HighestRuns
  #place: number
  /** Below the highest run, ascending and never adjacent; null until there is a gap. */
  #lower: Run[] | null = null
  /** Below those, ascending and never empty; null until there are many. */
  #blocks: RunBlock[] | null = null
  /** Told of each block that was made or changed, and of each that is gone. */
  onBlock: (block: RunBlock, isGone: boolean) => void = () => undefined
  /** When whoever keeps the set looks for runs to forget. */
  expiresAt = Number.POSITIVE_INFINITY
  /** Set when an id has begun a run of its own, which may be over before the others; whoever looks takes it back. */
  hasNewRun = false

  constructor(highest = new HighestRuns(1)) {
    this.#highest = highest
    this.#place = highest.take()
  }

  static decode(saved: Json): IdRanges {
    const ranges = new IdRanges()
    ranges.#fold(decodeRuns(saved))
    return ranges
  }

  /** Without the blocks, which are saved by themselves. */
  encode(): Json {
    if (this.#lower === null) return this.isEmpty ? [] : [[this.#from, this.#to, this.#newest]]
    const runs = this.#unfold()
    const saved = encodeRuns(runs)
    this.#fold(runs)
    return saved
  }

  /** Takes back blocks that were saved, in any order. */
  attach(blocks: readonly RunBlock[]): void {
    this.#blocks = blocks.length === 0 ? null : [...blocks].sort((a, b) => firstOf(a.runs).from - firstOf(b.runs).from)
  }

  /** Where its highest run lies among those of others. */
  get place(): number {
    return this.#place
  }

  /** Has its highest run lie beside those of others. */
  moveTo(highest: HighestRuns): void {
    const runs = this.#unfold()
    this.#highest.release(this.#place)
    this.#highest = highest
    this.#place = highest.take()
    this.#fold(runs)
  }

  /** Gives the place of its highest run back, of a set that is no longer used. */
  release(): void {
    this.#highest.release(this.#place)
  }

  get isEmpty(): boolean {
    return this.#to < this.#from
  }

  /** False when the id was in the set already. */
  add(id: number, time: number): boolean {
    if (id <= this.#to && id >= this.#from) return false
    if (id !== this.#to + 1 || this.isEmpty) return this.#addApart(id, time)
    this.#highest.goOn(this.#place, id, time)
    return true
  }

  /** The time at which the run that was not added to for longest got its newest id; of an empty set 0. */
  get oldest(): number {
    let oldest = this.#newest
    for (const run of this.#allLower()) if (run.newest < oldest) oldest = run.newest
    return oldest
  }

  /** True when some run was last added to at or before the time. */
  isStale(time: number): boolean {
    if (this.isEmpty) return false
    if (this.#newest <= time) return true
    for (const run of this.#allLower()) if (run.newest <= time) return true
    return false
  }

  forget(time: number): void {
    let runs = this.#unfold().filter((run) => run.newest > time)
    const blocks: RunBlock[] = []
    for (const known of this.#blocks ?? []) {
      const kept = known.runs.filter((run) => run.newest > time)
      const block = kept.length === known.runs.length ? known : { name: known.name, runs: kept }
      if (kept.length > 0) blocks.push(block)
      if (block !== known) this.onBlock(block, kept.length === 0)
    }
    const highest = runs.length === 0 ? blocks.pop() : undefined
    if (highest !== undefined) {
      runs = highest.runs
      this.onBlock(highest, true)
    }
    this.#blocks = blocks.length === 0 ? null : blocks
    this.#fold(runs)
  }

  get #from(): number {
    return this.#highest.from(this.#place)
  }

  get #to(): number {
    return this.#highest.to(this.#place)
  }

  get #newest(): number {
    return this.#highest.newest(this.#place)
  }

  *#allLower(): Generator<Run> {
    if (this.#lower !== null) yield* this.#lower
    for (const { runs } of this.#blocks ?? []) yield* runs
  }

  #addApart(id: number, time: number): boolean {
    const runs = this.#unfold()
    const blocks = this.#blocks ?? []
    const isBelow = blocks.length > 0 && id < firstOf(runs).from
    const isNew = isBelow ? this.#addToBlock(blocks, runs, id, time) : addTo(runs, id, time)
    if (isNew) this.hasNewRun = true
    while (runs.length > mostRuns) this.#putApart(blocks, blocks.length, runs.splice(0, mostRuns / 2))
    this.#blocks = blocks.length === 0 ? null : blocks
    this.#fold(runs)
    return isNew
  }

  /** @param head the runs above those of all blocks */
  #addToBlock(blocks: RunBlock[], head: Run[], id: number, time: number): boolean {
    const found = blocks.findLastIndex(({ runs }) => firstOf(runs).from <= id)
    const at = Math.max(0, found)
    const block = blocks[at] as RunBlock
    if (!addTo(block.runs, id, time)) return false
    const above = blocks[at + 1]
    const next = above?.runs ?? head
    const last = block.runs.at(-1) as Run
    if (last.to + 1 === firstOf(next).from) {
      const joined = next.shift() as Run
      last.to = joined.to
      last.newest = Math.max(last.newest, joined.newest)
      if (above !== undefined) {
        if (next.length === 0) blocks.splice(at + 1, 1)
        this.onBlock(above, next.length === 0)
      } else if (next.length === 0) {
        head.push(...block.runs)
        blocks.splice(at, 1)
        this.onBlock(block, true)
        return true
      }
    }
    if (block.runs.length > mostRuns) this.#putApart(blocks, at + 1, block.runs.splice(mostRuns / 2))
    this.onBlock(block, false)
    return true
  }

  #putApart(blocks: RunBlock[], at: number, runs: Run[]): void {
    let name = String(firstOf(runs).from)
    // A block keeps its name when its first run goes.
    while (blocks.some((block) => block.name === name)) name += "'"
    const block = { name, runs }
    blocks.splice(at, 0, block)
    this.onBlock(block, false)
  }

  /** The runs that lie in no block, in one array, which must be given back to `#fold`. */
  #unfold(): Run[] {
    const runs = this.#lower ?? []
    if (!this.isEmpty) runs.push({ from: this.#from, to: this.#to, newest: this.#newest })
    return runs
  }

  #fold(runs: Run[]): void {
    const { from, to, newest } = runs.pop() ?? { from: 0, to: -1, newest: 0 }
    this.#highest.set(this.#place, from, to, newest)
    this.#lower = runs.length === 0 ? null : runs
  }
}

/** As a checkpoint keeps them. */
export function encodeRuns(runs: readonly Run[]): Json {
  return runs.map(({ from, to, newest }) => [from, to, newest])
}

export function decodeRuns(saved: Json): Run[] {
  const runs = saved as unknown as readonly (readonly [number, number, number])[]
  return runs.map(([from, to, newest]) => ({ from, to, newest }))
}

function firstOf(runs: readonly Run[]): Run {
  return runs[0] as Run
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
