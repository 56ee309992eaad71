import { leadTopic } from '../../src/testing/simulation/graphs/graphPipeline.ts'
import { allSteps, type StepKind, stepKinds } from '../../src/testing/simulation/graphs/plan.ts'
import type { GraphReport, GraphSchedule } from '../../src/testing/simulation/graphs/runGraph.ts'
import { isShared } from '../../src/testing/simulation/graphs/taskPlaces.ts'
import type { Outcome } from '../../src/testing/simulation/outcome.ts'

/** What happened in the schedules that ran a random graph. */
export interface GraphTotals {
  drawn: number
  refused: number
  idleSteps: number
  redrives: number
  /** Graphs over several inputs, and records that were taken behind others that were let past them. */
  merged: number
  displaced: number
  /** Graphs in which one task reads all partitions, and in which every task reads a table whole. */
  oneTask: number
  sharedTables: number
  /** Graphs in which a table was read before the streams that look things up in it. */
  tablesFirst: number
  /** Places where offsets have no record. */
  gaps: number
  /** Messages in topics, and at destinations that keep no place, to which some came more than once. */
  messages: number
  sentOutside: number
  repeats: number
  /** Archives of the leading input, and of others. */
  archives: number
  otherArchives: number
  migrations: number
  /** Values set aside because a step of RxJS below could not take them. */
  stepFailures: number
  /** Asynchronous calls that failed for now. */
  callsAway: number
  operators: Partial<Record<StepKind, number>>
}

export const noGraphs: GraphTotals = {
  drawn: 0,
  refused: 0,
  idleSteps: 0,
  redrives: 0,
  merged: 0,
  displaced: 0,
  oneTask: 0,
  sharedTables: 0,
  tablesFirst: 0,
  gaps: 0,
  messages: 0,
  sentOutside: 0,
  repeats: 0,
  archives: 0,
  otherArchives: 0,
  migrations: 0,
  stepFailures: 0,
  callsAway: 0,
  operators: {},
}

export function graphTotalsOf(
  { plan, input }: GraphSchedule,
  { result, callsAway, hasMigrated }: GraphReport,
): GraphTotals {
  const operators: Partial<Record<StepKind, number>> = {}
  for (const { kind } of allSteps(plan)) operators[kind] = (operators[kind] ?? 0) + 1
  const letters = result?.outcome.get('dead letters') ?? []
  const notes = result?.outcome.get('merge notes') ?? []
  const objects = result?.outcome.get('manifest') ?? []
  const isOfLead = (line: string) => line.includes(`"topic":"${leadTopic}"`)
  return {
    drawn: 1,
    refused: plan.refusedFor === null ? 0 : 1,
    idleSteps: plan.idleAfterMs === null ? 0 : (result?.outcome.get('idle advances')?.length ?? 0),
    redrives: input.redrives,
    merged: plan.others.length === 0 ? 0 : 1,
    displaced: notes.filter((line) => !line.includes('"isFirst":true')).length,
    oneTask: plan.isOneTask && input.partitions > 1 ? 1 : 0,
    sharedTables: input.partitions > 1 && plan.others.some((_, i) => isShared(plan, i + 1)) ? 1 : 0,
    tablesFirst: notes.some((line) => line.includes('"isFirst":true')) ? 1 : 0,
    gaps: input.gaps,
    messages: linesOf(result?.outcome, 'topic '),
    sentOutside: linesOf(result?.outcome, 'outside '),
    repeats: result?.repeats ?? 0,
    archives: objects.some(isOfLead) ? 1 : 0,
    otherArchives: objects.some((line) => !isOfLead(line)) ? 1 : 0,
    migrations: hasMigrated ? 1 : 0,
    stepFailures: letters.filter((line) => line.includes('a step below could not take this value')).length,
    callsAway,
    operators,
  }
}

function linesOf(outcome: Outcome | undefined, prefix: string): number {
  return [...(outcome ?? [])].reduce((sum, [name, lines]) => sum + (name.startsWith(prefix) ? lines.length : 0), 0)
}

export function sumOfGraphs(a: GraphTotals, b: GraphTotals): GraphTotals {
  const { operators: ofA, ...counts } = a
  const { operators: ofB, ...more } = b
  const names = Object.keys(counts) as (keyof typeof counts)[]
  const sums = Object.fromEntries(names.map((name) => [name, counts[name] + more[name]]))
  return {
    ...(sums as typeof counts),
    operators: Object.fromEntries(stepKinds.map((kind) => [kind, (ofA[kind] ?? 0) + (ofB[kind] ?? 0)])),
  }
}

/** What a large run should have met and did not. */
export function missingInGraphs({ operators, ...counts }: GraphTotals): string[] {
  return [
    ...Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [`graphs: ${name}`] : [])),
    ...stepKinds.filter((kind) => (operators[kind] ?? 0) === 0),
  ]
}
