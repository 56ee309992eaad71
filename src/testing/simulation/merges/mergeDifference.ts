import { InputMerge } from '../../../runtime/inputs/inputMerge.ts'
import type { Json } from '../../../runtime/json.ts'
import type { MergeNote } from '../../../runtime/store/checkpoint.ts'
import { Random } from '../../random.ts'

/** A record as far as its place in the order depends on it. */
interface Arrival {
  readonly offset: number
  readonly timestamp: number
}

/** Where a task stands: what a checkpoint keeps of a merge. */
interface Saved {
  readonly state: Json
  readonly nextOffsets: readonly number[]
  /** How much of the order and of the notes was committed. */
  readonly taken: number
  readonly notes: number
}

/** What a comparison has met, added up by the caller. */
export interface MergeFindings {
  /** The live order and that of the replay, as text; null where they are the same. */
  readonly difference: string | null
  /** How many records were displaced. */
  readonly notes: number
  readonly crashes: number
  /** True where the rank alone would have given another order. */
  readonly isRankNotEnough: boolean
}

/**
 * Merges random inputs as they come, passing those that have nothing, with crashes and restarts, and then once more with everything at hand and the notes of the first: the order
 * has to be the same. The seed decides all of it.
 */
export function mergeDifference(seed: number): MergeFindings {
  const random = new Random(`merge ${seed}`)
  const logs = Array.from({ length: random.int(2, 4) }, () => randomLog(random))
  const maxAdvanceMs = random.pick([1, 5, 20, 1_000])
  const inputs = logs.map((_, i) => ({ topic: `t${i}`, maxAdvanceMs, movesTime: false }))
  const live = liveOrder(random, logs, inputs)
  const replayed = replayedOrder(logs, inputs, live.notes)
  const byRank = replayedOrder(
    logs,
    inputs,
    live.notes.filter(({ isFirst }) => isFirst === true),
  )
  return {
    difference: live.order === replayed ? null : `live   ${live.order}\nreplay ${replayed}`,
    notes: live.notes.filter(({ isFirst }) => isFirst !== true).length,
    crashes: live.crashes,
    isRankNotEnough: byRank !== live.order,
  }
}

/** Times that go back and forth, leap, are missing; offsets with gaps. */
function randomLog(random: Random): readonly Arrival[] {
  let offset = random.int(0, 3)
  let time = random.int(0, 20)
  return Array.from({ length: random.int(0, 12) }, () => {
    time += random.int(-3, 6)
    const arrival = { offset, timestamp: random.chance(0.04) ? -1 : random.chance(0.04) ? time + 100_000 : time }
    offset += random.chance(0.15) ? random.int(2, 5) : 1
    return arrival
  })
}

type Inputs = ConstructorParameters<typeof InputMerge>[0]

function liveOrder(random: Random, logs: readonly (readonly Arrival[])[], inputs: Inputs) {
  const order: string[] = []
  const notes: MergeNote[] = []
  const arrived = logs.map(() => 0)
  let crashes = 0
  let nextOffsets: readonly number[] = logs.map(() => 0)
  let merge = new InputMerge(inputs, null, false)
  let saved: Saved | null = null
  const start = (): void => {
    merge = new InputMerge(inputs, saved?.state ?? null, false)
    nextOffsets = saved?.nextOffsets ?? logs.map(() => 0)
    order.length = saved?.taken ?? 0
    notes.length = saved?.notes ?? 0
    if (saved !== null) return
    // A table, which stands last, may be read first, as far as it goes by then.
    const table = logs.length - 1
    const firstUntil = (logs[table]?.[(arrived[table] as number) - 1]?.offset ?? -1) + 1
    if (firstUntil === 0 || !readsFirst) return
    merge.readFirst(table, firstUntil)
    notes.push({ input: table, offsets: nextOffsets.with(table, firstUntil), isFirst: true })
  }
  const readsFirst = random.chance(0.3)
  const isDone = () => order.length === logs.reduce((sum, log) => sum + log.length, 0)
  if (readsFirst) arrived[logs.length - 1] = random.int(0, logs.at(-1)?.length ?? 0)
  start()
  while (!isDone()) {
    const input = random.int(0, logs.length - 1)
    arrived[input] = Math.min((arrived[input] as number) + random.int(0, 3), (logs[input] as readonly Arrival[]).length)
    if (random.chance(0.05)) {
      crashes += 1
      start()
    }
    if (random.chance(0.15)) {
      saved = { state: merge.snapshot(), nextOffsets, taken: order.length, notes: notes.length }
      if (random.chance(0.5)) start()
    }
    let passes = random.chance(0.4) ? random.int(0, 4) : 0
    for (;;) {
      offer(merge, logs, nextOffsets, (log, at) => at < (arrived[log] as number))
      const hasEnded = (of: number) => (nextOffsets[of] as number) > lastOffset(logs[of])
      const next = merge.next(nextOffsets, (of) => hasEnded(of) || passes-- > 0, hasEnded)
      if (next < 0) break
      nextOffsets = taken(merge, logs, nextOffsets, next, order, notes)
      if (random.chance(0.1)) break
    }
  }
  return { order: order.join(' '), notes, crashes }
}

function replayedOrder(logs: readonly (readonly Arrival[])[], inputs: Inputs, notes: readonly MergeNote[]): string {
  const order: string[] = []
  let nextOffsets: readonly number[] = logs.map(() => 0)
  const merge = new InputMerge(inputs, null, true)
  for (const { input, offsets, isFirst } of notes) if (isFirst) merge.readFirst(input, offsets[input] as number)
  const noteOf = (input: number, offset: number) =>
    notes.find((note) => note.input === input && note.offsets[input] === offset && note.isFirst !== true) ?? null
  const hasEnded = (of: number) => (nextOffsets[of] as number) > lastOffset(logs[of])
  for (;;) {
    offer(merge, logs, nextOffsets, () => true, noteOf)
    const next = merge.next(nextOffsets, hasEnded, hasEnded)
    if (next < 0) return order.join(' ')
    nextOffsets = taken(merge, logs, nextOffsets, next, order, [])
  }
}

/** Shows the merge the next record of each input that is there. */
function offer(
  merge: InputMerge,
  logs: readonly (readonly Arrival[])[],
  nextOffsets: readonly number[],
  isThere: (log: number, at: number) => boolean,
  noteOf: (input: number, offset: number) => MergeNote | null = () => null,
): void {
  for (const [input, log] of logs.entries()) {
    if (merge.hasHead(input)) continue
    const at = log.findIndex(({ offset }) => offset >= (nextOffsets[input] as number))
    if (at < 0 || !isThere(input, at)) continue
    const { offset, timestamp } = log[at] as Arrival
    merge.arrive(input, offset, timestamp, noteOf(input, offset))
  }
}

function taken(
  merge: InputMerge,
  logs: readonly (readonly Arrival[])[],
  nextOffsets: readonly number[],
  input: number,
  order: string[],
  notes: MergeNote[],
): readonly number[] {
  const offset = logs[input]?.find((one) => one.offset >= (nextOffsets[input] as number))?.offset as number
  const note = merge.take(input, nextOffsets)
  if (note !== null) notes.push(note)
  order.push(`${input}:${offset}`)
  return nextOffsets.with(input, offset + 1)
}

function lastOffset(log: readonly Arrival[] | undefined): number {
  return log?.at(-1)?.offset ?? -1
}
