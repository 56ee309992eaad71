import { hostname } from 'node:os'
import type pg from 'pg'
import { z } from 'zod'
import type { PipelineGraph } from '../runtime/task/graph.ts'
import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import { type RunReport, runReportSchema } from './runReport.ts'

/** More tasks than that are not told one by one: those that are furthest behind are. */
const mostTasks = 200

const task = z.object({
  partition: z.number(),
  phase: z.enum(['claiming', 'running', 'waiting', 'stopped', 'fenced']),
  waitingFor: z.string().nullable(),
  generation: z.number(),
  nextOffset: z.number(),
  committedOffset: z.number(),
  logEndOffset: z.number(),
  /** ms UTC of event time; null before the first. */
  watermark: z.number().nullable(),
  /** ms UTC; null before the first commit. */
  committedAt: z.number().nullable(),
  commitMs: z.number(),
  restarts: z.number(),
})

/** What the row of a process holds: its report, and how its tasks are doing. */
export const processReportSchema = runReportSchema.extend({
  /** True where records of the past, such as those of a tape, come in: their newest time is the present. */
  isOfThePast: z.boolean(),
  /** All that the process has, whether they are told one by one or not. */
  taskCount: z.number(),
  tasks: z.array(task).readonly(),
})

export type ProcessReport = z.infer<typeof processReportSchema>

const begin = `INSERT INTO run_report (pipeline, process, graph, report) VALUES ($1, $2, $3, $4)
ON CONFLICT (pipeline, process) DO UPDATE SET started_at = now(), reported_at = now(), ended_at = NULL, graph = EXCLUDED.graph, report = EXCLUDED.report`

const forget = `DELETE FROM run_report WHERE pipeline = $1 AND process <> $2 AND reported_at < now() - interval '1 hour'`

const say = 'UPDATE run_report SET reported_at = now(), report = $3 WHERE pipeline = $1 AND process = $2'

const end = `UPDATE run_report SET reported_at = now(), ended_at = now() WHERE pipeline = $1 AND process = $2`

/**
 * Keeps the row of this process in the database, for consoles elsewhere. One write is under way at a time, and what comes meanwhile is left out, so a database that
 * hangs costs one report. A write that fails is worth no error of its own: the worker meets the same database and says what is wrong with it.
 */
export class ReportRow {
  readonly #pool: pg.Pool
  readonly #graph: PipelineGraph
  readonly #isOfThePast: boolean
  readonly #process = `${hostname()}:${process.pid}`
  #hasBegun = false
  #writing: Promise<void> | null = null

  constructor(pool: pg.Pool, graph: PipelineGraph, isOfThePast: boolean) {
    this.#pool = pool
    this.#graph = graph
    this.#isOfThePast = isOfThePast
  }

  write(report: RunReport, tasks: readonly TaskStatus[]): void {
    this.#writing ??= this.#write(report, tasks).finally(() => {
      this.#writing = null
    })
  }

  /** Says that the process has ended in order. */
  async end(): Promise<void> {
    await this.#writing
    if (this.#hasBegun) await this.#query(end, [])
  }

  async #write(report: RunReport, tasks: readonly TaskStatus[]): Promise<void> {
    const told: ProcessReport = processReportSchema.parse({
      ...report,
      isOfThePast: this.#isOfThePast,
      taskCount: tasks.length,
      tasks: [...tasks].sort((a, b) => behind(b) - behind(a)).slice(0, mostTasks),
    })
    if (this.#hasBegun) {
      await this.#query(say, [JSON.stringify(told)])
      return
    }
    if (!(await this.#query(begin, [JSON.stringify(this.#graph), JSON.stringify(told)]))) return
    this.#hasBegun = true
    await this.#query(forget, [])
  }

  async #query(text: string, values: readonly string[]): Promise<boolean> {
    try {
      await this.#pool.query(text, [this.#graph.pipeline, this.#process, ...values])
      return true
    } catch {
      return false
    }
  }
}

function behind({ logEndOffset, committedOffset }: TaskStatus): number {
  return logEndOffset - committedOffset
}
