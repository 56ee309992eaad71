import type pg from 'pg'
import { readOpenCandles } from '../../console/openCandles.ts'
import { RateMeter } from '../../console/rate.ts'
import type { CandleLine, ConsoleSnapshot, Progress } from '../../console/snapshot.ts'
import { durationText } from '../../console/text.ts'
import type { TaskStatus } from '../../runtime/taskStatus.ts'
import type { IngestProgress } from '../../sources/ingest/runIngest.ts'
import type { RunPlan } from './runPlan.ts'

const silenceMs = 2_000

export interface RunState {
  readonly now: number
  readonly tasks: readonly TaskStatus[]
  readonly ingest: IngestProgress | null
  /** What the database server is going through, or null while it runs. */
  readonly databaseWait: string | null
}

/** Makes snapshots for the console of a run's state; keeps the candles that were read last. */
export class Snapshotter {
  readonly #plan: RunPlan
  readonly #title: string
  readonly #rate = new RateMeter(5_000)
  #candles: readonly CandleLine[] = []
  #reading: { readonly since: number; readonly done: Promise<void> } | null = null

  constructor(plan: RunPlan, title: string) {
    this.#plan = plan
    this.#title = title
  }

  get candles(): readonly CandleLine[] {
    return this.#candles
  }

  /** Reads the open candles, or waits for the read that is still under way. A database that fails leaves the last ones in place. */
  readCandles(pool: pg.Pool, now: number): Promise<void> {
    this.#reading ??= { since: now, done: this.#read(pool) }
    return this.#reading.done
  }

  async #read(pool: pg.Pool): Promise<void> {
    try {
      this.#candles = await readOpenCandles(pool, this.#plan.market)
    } catch {
      // The worker meets the same database and says what is wrong with it.
    } finally {
      this.#reading = null
    }
  }

  take(state: RunState): ConsoleSnapshot {
    const { now, tasks, ingest } = state
    const records = sum(tasks, (task) => task.records)
    const watermarks = tasks.flatMap((task) => task.watermark ?? [])
    const committedAt = tasks.flatMap((task) => task.committedAt ?? [])
    // A tape's own newest trade is its present.
    const present = this.#plan.source === 'tape' ? (ingest?.feed?.newestTime ?? null) : now
    return {
      title: this.#title,
      isSimulated: this.#plan.dataSet === 'simulated',
      candles: this.#candles,
      records,
      recordsPerS: this.#rate.sample(now, records),
      watermarkLagMs: watermarks.length === 0 || present === null ? null : present - Math.min(...watermarks),
      checkpointAgeMs: committedAt.length === 0 ? null : now - Math.max(...committedAt),
      deadLetters: sum(tasks, (task) => task.deadLetters),
      logLag: tasks.length === 0 ? null : sum(tasks, (task) => Math.max(0, task.logEndOffset - task.committedOffset)),
      progress: progressOf(ingest),
      waitingFor: waitingFor(state) ?? this.#silence(now),
    }
  }

  /** A database that hangs fails nothing for a minute; that it is silent shows here first. */
  #silence(now: number): string | null {
    if (this.#reading === null) return null
    const silentMs = now - this.#reading.since
    return silentMs < silenceMs ? null : `PostgreSQL, no answer for ${durationText(silentMs)}`
  }
}

function progressOf(ingest: IngestProgress | null): Progress | null {
  const { bytesDone = null, bytesTotal = null } = ingest?.feed ?? {}
  if (bytesDone === null || bytesTotal === null) return null
  return { done: bytesDone, total: bytesTotal, unit: 'bytes', leftMs: ingest?.timeLeftMs ?? null }
}

function waitingFor({ tasks, ingest, databaseWait }: RunState): string | null {
  if (databaseWait !== null) return databaseWait
  const waiting = tasks.find((task) => task.waitingFor !== null)
  if (waiting !== undefined) return waiting.waitingFor
  return ingest?.waitingFor ?? null
}

function sum(tasks: readonly TaskStatus[], of: (task: TaskStatus) => number): number {
  return tasks.reduce((total, task) => total + of(task), 0)
}
