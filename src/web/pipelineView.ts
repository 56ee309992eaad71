import { z } from 'zod'
import type { FeedFacts, InputFacts, OperatorFacts, OutletFacts } from '../console/snapshot.ts'
import { type ProcessReport, processReportSchema } from '../host/reportRow.ts'
import type { StoredRunReport } from '../queries/runReports.ts'
import type { PipelineGraph } from '../runtime/task/graph.ts'
import { judge, type Verdict, type Worry, worriesOf } from './verdict.ts'

/** After that a report, which comes once a second, is no news. */
export const staleAfterMs = 3_000

/** A process that runs a pipeline, or has run it. */
export interface ProcessView {
  readonly process: string
  readonly source: string
  /** `silent` is one that has not said for a while how it is, and has not said that it ended. */
  readonly state: 'runs' | 'silent' | 'ended'
  /** ms UTC. */
  readonly startedAt: number
  readonly ageMs: number
  /** ms UTC. */
  readonly endedAt: number | null
  readonly waitingFor: string | null
}

/** A partition, and who works on it. */
export type TaskView = ProcessReport['tasks'][number] & { readonly process: string }

/** What happened over the last two minutes, a number a second, oldest first. */
export interface Trend {
  readonly recordsPerS: readonly number[]
  readonly lagRecords: readonly number[]
}

/** How a pipeline is doing, over all processes that run it. */
export interface PipelineView {
  readonly schema: string
  readonly pipeline: string
  readonly verdict: Verdict
  /** The worst first. */
  readonly worries: readonly Worry[]
  readonly processes: readonly ProcessView[]
  /** Null where a report of another release cannot be read. */
  readonly graph: PipelineGraph | null
  /** Since the start of the processes. */
  readonly records: number
  readonly recordsPerS: number
  readonly lagRecords: number | null
  /** How far the watermark is behind the present, ms. */
  readonly watermarkLagMs: number | null
  /** ms UTC of event time. */
  readonly watermark: number | null
  readonly checkpointAgeMs: number | null
  readonly deadLetters: number
  /** True for a tape: its newest time is the present. */
  readonly isOfThePast: boolean
  readonly inputs: readonly InputFacts[]
  readonly operators: readonly OperatorFacts[]
  readonly outlets: readonly OutletFacts[]
  readonly feeds: readonly FeedFacts[]
  readonly taskCount: number
  readonly tasks: readonly TaskView[]
  readonly trend: Trend
}

const node = z.looseObject({ id: z.string(), kind: z.enum(['input', 'operator', 'outlet']), name: z.string() })
const edge = z.object({ from: z.string(), to: z.string(), plainSteps: z.number() })
const graphSchema = z.object({
  pipeline: z.string(),
  nodes: z.array(node).readonly(),
  edges: z.array(edge).readonly(),
})

interface ReadReport {
  readonly stored: StoredRunReport
  readonly report: ProcessReport
}

/** What the reports of one pipeline come to. */
export function pipelineView(
  schema: string,
  pipeline: string,
  stored: readonly StoredRunReport[],
  trend: Trend,
  now: number,
): PipelineView {
  const read = stored.flatMap((one): readonly ReadReport[] => {
    const report = parsed(processReportSchema, one.report)
    return report === null ? [] : [{ stored: one, report }]
  })
  const processes = read.map(processView)
  const live = read.filter((_, i) => processes[i]?.state === 'runs')
  // Where nothing runs, the newest report says how it was.
  const told = live.length > 0 ? live : read.slice(0, 1)
  const tasks = told.flatMap(({ stored: { process }, report }) => report.tasks.map((task) => ({ ...task, process })))
  const works = told.flatMap(({ report }) => report.work ?? [])
  const lags = works.flatMap(({ watermarkLagMs }) => watermarkLagMs ?? [])
  const watermarks = tasks.flatMap(({ watermark }) => watermark ?? [])
  const commits = tasks.flatMap(({ committedAt }) => committedAt ?? [])
  const facts = {
    schema,
    pipeline,
    processes,
    graph: stored[0] === undefined ? null : (parsed(graphSchema, stored[0].graph) as PipelineGraph | null),
    records: sum(told, ({ report }) => report.records),
    recordsPerS: sum(live, ({ report }) => report.recordsPerS),
    lagRecords: works.length === 0 ? null : lagOf(works),
    watermarkLagMs: lags.length === 0 ? null : Math.max(...lags),
    watermark: watermarks.length === 0 ? null : watermarks.reduce((least, one) => Math.min(least, one)),
    checkpointAgeMs: commits.length === 0 ? null : Math.max(0, now - Math.max(...commits)),
    deadLetters: sum(works, (work) => work.deadLetters),
    isOfThePast: told.some(({ report }) => report.isOfThePast),
    inputs: merged(
      works.flatMap((work) => work.inputs),
      (one) => one.name,
      (a, b) => ({
        ...a,
        nextOffset: a.nextOffset + b.nextOffset,
        lagRecords: a.lagRecords + b.lagRecords,
        lagMs: greater(a.lagMs, b.lagMs),
      }),
    ),
    operators: merged(
      works.flatMap((work) => work.operators),
      (one) => one.name,
      (a, b) => ({
        ...a,
        valuesIn: a.valuesIn + b.valuesIn,
        valuesOut: a.valuesOut + b.valuesOut,
        keyCount: a.keyCount + b.keyCount,
        openUntil: greater(a.openUntil, b.openUntil),
        heldBy: a.heldBy ?? b.heldBy,
      }),
    ),
    outlets: merged(
      works.flatMap((work) => work.outlets),
      (one) => one.outlet,
      (a, b) => ({
        ...a,
        count: a.count + b.count,
        perS: a.perS + b.perS,
        waiting: a.waiting + b.waiting,
        refused: a.refused + b.refused,
      }),
    ),
    feeds: told.flatMap(({ report }) => report.feeds),
    taskCount: sum(told, ({ report }) => report.taskCount),
    tasks,
    trend,
    isUnread: read.length < stored.length,
    waitingSince: told.flatMap(({ report }) => report.waitingSince ?? [])[0] ?? null,
  }
  const worries = worriesOf(facts, now)
  return { ...facts, worries, verdict: judge(facts, worries, now) }
}

function processView({ stored, report }: ReadReport): ProcessView {
  const { process, startedAt, ageMs, endedAt } = stored
  return {
    process,
    source: report.source,
    state: endedAt !== null ? 'ended' : ageMs > staleAfterMs ? 'silent' : 'runs',
    startedAt,
    ageMs,
    endedAt,
    waitingFor: report.waitingFor,
  }
}

function lagOf(works: readonly { readonly inputs: readonly InputFacts[] }[]): number {
  return sum(works, ({ inputs }) => sum(inputs, ({ lagRecords }) => lagRecords))
}

function parsed<T>(schema: z.ZodType<T>, text: string): T | null {
  const json = z.string().transform((one, context): unknown => {
    try {
      return JSON.parse(one)
    } catch {
      context.addIssue({ code: 'custom', message: 'no JSON' })
      return z.NEVER
    }
  })
  const result = json.pipe(schema).safeParse(text)
  return result.success ? result.data : null
}

function merged<T>(all: readonly T[], key: (one: T) => string, plus: (a: T, b: T) => T): readonly T[] {
  const byKey = new Map<string, T>()
  for (const one of all) {
    const before = byKey.get(key(one))
    byKey.set(key(one), before === undefined ? one : plus(before, one))
  }
  return [...byKey.values()]
}

function greater(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b)
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0)
}
