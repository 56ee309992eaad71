import { RateMeter } from '../console/rate.ts'
import type { OutletFacts, Progress, RunFacts } from '../console/snapshot.ts'
import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import type { IngestProgress } from '../sources/ingest/runIngest.ts'
import { inputFacts, operatorFacts } from './graphFacts.ts'
import type { OutletCount } from './outletCounts.ts'
import { lagOf, type RunFeed } from './pipelineRun.ts'
import type { RunTotals } from './taskTotals.ts'

/** How a run is doing at one moment. */
export interface RunStatus extends RunFacts {
  /** By the partition that they work on. */
  readonly tasks: readonly TaskStatus[]
  /** What each outlet has had committed since the start, how fast, and what it has to send. */
  readonly outlets: readonly OutletFacts[]
  /** How long the last checkpoint took, of the slowest task, ms; null before the first. */
  readonly commitMs: number | null
  /** How often tasks began again after a failure, since the start. */
  readonly restarts: number
}

/** What a status is made of. */
export interface RunState {
  readonly tasks: readonly TaskStatus[]
  readonly totals: RunTotals
  readonly outlets: readonly OutletCount[]
  readonly progress: ReadonlyMap<RunFeed, IngestProgress>
  /** What the run, or its database, waits for before its tasks can say so, or null. */
  readonly waitingFor: string | null
}

const rateOverMs = 5_000

/** Sums a run up, and remembers enough of the last seconds for its rates. */
export class StatusMeter {
  readonly #records = new RateMeter(rateOverMs)
  readonly #outlets = new Map<string, RateMeter>()

  /** @param now processing time, ms UTC */
  take(state: RunState, now: number): RunStatus {
    const { tasks, totals, outlets, progress } = state
    const { records, deadLetters } = totals
    const watermarks = tasks.flatMap((task) => task.watermark ?? [])
    const committedAt = tasks.flatMap((task) => task.committedAt ?? [])
    const present = presentOf(progress, now)
    const lagMs = watermarks.length === 0 || present === null ? null : present - Math.min(...watermarks)
    return {
      records,
      recordsPerS: this.#records.sample(now, records),
      watermarkLagMs: lagMs,
      checkpointAgeMs: committedAt.length === 0 ? null : now - Math.max(...committedAt),
      deadLetters,
      logLag: tasks.length === 0 ? null : sum(tasks, lagOf),
      progress: progressOf(progress),
      waitingFor: waitingFor(state),
      inputs: inputFacts(tasks, lagMs),
      operators: operatorFacts(tasks, totals),
      ...feedsOf(progress),
      tasks,
      commitMs: committedAt.length === 0 ? null : Math.max(...tasks.map(({ commitMs }) => commitMs)),
      restarts: sum(tasks, ({ restarts }) => restarts),
      outlets: outlets.map((outlet) => ({ ...outlet, perS: this.#rateOf(outlet, now) })),
    }
  }

  #rateOf({ outlet, count }: OutletCount, now: number): number {
    const meter = this.#outlets.get(outlet) ?? new RateMeter(rateOverMs)
    this.#outlets.set(outlet, meter)
    return meter.sample(now, count)
  }
}

/** Those that say how they are. */
function feedsOf(progress: RunState['progress']): Pick<RunFacts, 'feeds'> {
  const feeds = [...progress].flatMap(
    ([
      {
        feed: { name },
      },
      { feed },
    ]) => (feed?.troubles === undefined ? [] : [{ name, counts: feed.counts, troubles: feed.troubles }]),
  )
  return feeds.length === 0 ? {} : { feeds }
}

/** The newest time of records of the past, such as those of a file, is their present. */
function presentOf(progress: RunState['progress'], now: number): number | null {
  const past = [...progress].filter(([feed, one]) => feed.isOfThePast || one.feed?.bytesTotal != null)
  if (past.length === 0) return now
  const newest = past.flatMap(([, one]) => one.feed?.newestTime ?? [])
  return newest.length === 0 ? null : Math.max(...newest)
}

/** Of the feeds that have an end, as one. */
function progressOf(progress: RunState['progress']): Progress | null {
  const ending = [...progress.values()].flatMap(({ feed, timeLeftMs }) =>
    feed?.bytesDone == null || feed.bytesTotal === null
      ? []
      : [{ done: feed.bytesDone, total: feed.bytesTotal, leftMs: timeLeftMs }],
  )
  if (ending.length === 0) return null
  const left = ending.flatMap(({ leftMs }) => leftMs ?? [])
  return {
    done: sum(ending, ({ done }) => done),
    total: sum(ending, ({ total }) => total),
    unit: 'bytes',
    leftMs: left.length === 0 ? null : Math.max(...left),
  }
}

function waitingFor({ tasks, progress, waitingFor: first }: RunState): string | null {
  if (first !== null) return first
  const waiting = tasks.find((task) => task.waitingFor !== null)
  if (waiting !== undefined) return waiting.waitingFor
  return [...progress.values()].find((one) => one.waitingFor !== null)?.waitingFor ?? null
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0)
}
