import { Histogram } from './histogram.ts'
import type { Moment, WorkerMoments } from './moments.ts'
import { type Append, dueAt, type Produced, type Schedule } from './schedule.ts'

/** Where the time goes between the schedule and the eyes of another connection. Each stage ends with what it is named after. */
export const stages = ['sent', 'stored', 'fetched', 'worked', 'cut', 'committed', 'seen'] as const

/** What producer, worker and observer have told of one run. */
export interface Live {
  readonly schedule: Schedule
  readonly partitions: number
  readonly produced: Produced
  readonly worker: WorkerMoments
  /** By trades of the partition. */
  readonly seen: readonly Moment[]
}

/** Trades are due from here on, and up to here; ms of the wall clock. */
export interface Measured {
  readonly from: number
  readonly until: number
}

/** The time of each trade that was due meanwhile in each stage: from the end of the one before, or, in the first, from when the trade was due. */
export function timeByStage(live: Live, measured: Measured): ReadonlyMap<(typeof stages)[number], Histogram> {
  const { schedule, partitions, produced } = live
  const { appends } = produced
  const histograms = new Map(stages.map((stage) => [stage, new Histogram()]))
  if (appends === null) return histograms
  for (let partition = 0; partition < partitions; partition += 1) {
    const tracks = tracksOf(live, appends, partition)
    const first = firstDue(schedule, measured.from, partition, partitions)
    for (let id = first; ; id += 1) {
      let before = dueAt(schedule, id * partitions + partition)
      if (before >= measured.until) break
      for (const [stage, track] of tracks) {
        const at = track.reached(id)
        histograms.get(stage)?.add(at - before)
        before = at
      }
    }
  }
  return histograms
}

function firstDue({ rate, from }: Schedule, at: number, partition: number, partitions: number): number {
  return Math.max(0, Math.ceil((((at - from) * rate) / 1_000 - partition) / partitions))
}

function tracksOf(live: Live, appends: readonly Append[], partition: number) {
  const { partitions, worker, seen, produced } = live
  const trades = (until: number) => Math.ceil((until - partition) / partitions)
  const sent: Moment[] = []
  const stored: Moment[] = []
  const offsets: number[] = []
  let markers = 0
  let before = 0
  for (const { until: all, sentAt, storedAt } of appends) {
    const until = trades(all)
    if (until === before) continue
    before = until
    sent.push({ partition, until, at: sentAt })
    stored.push({ partition, until, at: storedAt })
    // The end of a transaction.
    if (produced.hasMarkers) markers += 1
    offsets.push(until + markers)
  }
  const tradesBelow = (offset: number) => (produced.hasMarkers ? offset - countUpTo(offsets, offset) : offset)
  const byTrades = (moments: readonly Moment[]) =>
    moments
      .filter((moment) => moment.partition === partition)
      .map((moment) => ({ ...moment, until: tradesBelow(moment.until) }))
  const { fetched, worked, cut, committed } = worker
  return [
    ['sent', new Track(sent)],
    ['stored', new Track(stored)],
    ['fetched', new Track(byTrades(fetched))],
    ['worked', new Track(byTrades(worked))],
    ['cut', new Track(byTrades(cut))],
    ['committed', new Track(byTrades(committed))],
    ['seen', new Track(seen.filter((moment) => moment.partition === partition))],
  ] as const satisfies readonly (readonly [(typeof stages)[number], Track])[]
}

/** How many of the offsets, which go up, are at or below the one given. */
function countUpTo(offsets: readonly number[], offset: number): number {
  let low = 0
  let high = offsets.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((offsets[middle] as number) <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** Tells of trades, in order, when they were reached. */
class Track {
  readonly #moments: readonly Moment[]
  #next = 0

  constructor(moments: readonly Moment[]) {
    this.#moments = moments
  }

  /** Throws where that is nowhere to be found. */
  reached(id: number): number {
    let moment = this.#moments[this.#next]
    while (moment !== undefined && moment.until <= id) moment = this.#moments[++this.#next]
    if (moment === undefined) throw new Error(`nothing tells when trade ${id} of a partition got there`)
    return moment.at
  }
}
