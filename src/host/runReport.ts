import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import type { RunFacts } from '../console/snapshot.ts'

const input = z.object({
  name: z.string(),
  topic: z.string(),
  nextOffset: z.number(),
  lagRecords: z.number(),
  lagMs: z.number().nullable(),
})

const operator = z.object({
  name: z.string(),
  valuesIn: z.number(),
  valuesOut: z.number(),
  keyCount: z.number(),
  openUntil: z.number().nullable(),
  heldBy: z.string().nullable(),
})

const outlet = z.object({
  outlet: z.string(),
  kind: z.enum(['rows', 'messages']),
  to: z.string(),
  count: z.number(),
  perS: z.number(),
  waiting: z.number(),
  refused: z.number(),
})

/** Summed up over the partitions, so it is as long as the graph is, however many partitions there are. */
const work = z.object({
  deadLetters: z.number(),
  watermarkLagMs: z.number().nullable(),
  inputs: z.array(input).readonly(),
  operators: z.array(operator).readonly(),
  outlets: z.array(outlet).readonly(),
  /** How long the last checkpoint took, of the slowest task; null before the first. */
  commitMs: z.number().nullable().default(null),
  /** How often tasks began again after a failure. */
  restarts: z.number().default(0),
})

const feed = z.object({
  name: z.string(),
  counts: z.record(z.string(), z.number()),
  troubles: z.array(z.object({ what: z.string(), since: z.number() })).readonly(),
})

/** The report of a process, as it is kept. */
export const runReportSchema = z.object({
  pid: z.number().int(),
  source: z.string(),
  /** ms UTC of this report. */
  at: z.number(),
  records: z.number(),
  recordsPerS: z.number(),
  waitingFor: z.string().nullable(),
  /** ms UTC since when there is something to wait for. */
  waitingSince: z.number().nullable(),
  /** Null before a pipeline has begun, and for an ingest. */
  work: work.nullable(),
  /** The feeds in the process that say how they are. */
  feeds: z.array(feed).readonly(),
})

/** What a running pipeline says of itself, for `status` in another process; also while the database is away. */
export type RunReport = z.infer<typeof runReportSchema>

/** How a pipeline is doing: its inputs, operators and outlets. */
export type WorkReport = z.infer<typeof work>

/** The same, as a run tells it. */
export type ToldWork = z.input<typeof work>

/** What is reported of any process that runs. */
type Reported = Pick<RunFacts, 'records' | 'recordsPerS' | 'waitingFor' | 'feeds'>

const fileName = 'run.json'

/** Leaves a report in the data folder, as often as it is told to. */
export class RunReporter {
  readonly #path: string
  readonly #source: string
  #waitingSince: number | null = null

  constructor(dataDir: string, source: string) {
    this.#path = join(resolve(dataDir), fileName)
    this.#source = source
  }

  /**
   * @param status of a pipeline, from which it takes what it tells
   * @returns what it has written
   */
  write(
    { records, recordsPerS, waitingFor, feeds = [] }: Reported,
    now: number,
    status: ToldWork | null = null,
  ): RunReport {
    this.#waitingSince = waitingFor === null ? null : (this.#waitingSince ?? now)
    const report: RunReport = {
      pid: process.pid,
      source: this.#source,
      at: now,
      records,
      recordsPerS,
      waitingFor,
      waitingSince: this.#waitingSince,
      work: status === null ? null : work.parse(status),
      feeds,
    }
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(report))
      renameSync(`${this.#path}.new`, this.#path)
    } catch {
      // A full disk is told by those who need it; a report is worth no error of its own.
    }
    return report
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}

/** The report of the process, or null where it has left none yet. */
export function readRunReport(dataDir: string, pid: number): RunReport | null {
  try {
    const report = runReportSchema.parse(JSON.parse(readFileSync(join(resolve(dataDir), fileName), 'utf8')))
    return report.pid === pid ? report : null
  } catch {
    // None yet, or of a version that wrote it differently: `status` does without.
    return null
  }
}
