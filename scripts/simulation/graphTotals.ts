import { allSteps, type StepKind, stepKinds } from '../../src/testing/simulation/graphs/plan.ts'
import type { GraphReport, GraphSchedule } from '../../src/testing/simulation/graphs/runGraph.ts'

/** What happened in the schedules that ran a random graph. */
export interface GraphTotals {
  drawn: number
  refused: number
  idleSteps: number
  redrives: number
  /** Graphs over several inputs, and records that were taken behind others that were let past them. */
  merged: number
  displaced: number
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
  return {
    drawn: 1,
    refused: plan.refusedFor === null ? 0 : 1,
    idleSteps: plan.idleAfterMs === null ? 0 : (result?.outcome.get('idle advances')?.length ?? 0),
    redrives: input.redrives,
    merged: plan.others.length === 0 ? 0 : 1,
    displaced: result?.outcome.get('merge notes')?.length ?? 0,
    migrations: hasMigrated ? 1 : 0,
    stepFailures: letters.filter((line) => line.includes('a step below could not take this value')).length,
    callsAway,
    operators,
  }
}

export function sumOfGraphs(a: GraphTotals, b: GraphTotals): GraphTotals {
  return {
    drawn: a.drawn + b.drawn,
    refused: a.refused + b.refused,
    idleSteps: a.idleSteps + b.idleSteps,
    redrives: a.redrives + b.redrives,
    merged: a.merged + b.merged,
    displaced: a.displaced + b.displaced,
    migrations: a.migrations + b.migrations,
    stepFailures: a.stepFailures + b.stepFailures,
    callsAway: a.callsAway + b.callsAway,
    operators: Object.fromEntries(stepKinds.map((kind) => [kind, (a.operators[kind] ?? 0) + (b.operators[kind] ?? 0)])),
  }
}

/** What a large run should have met and did not. */
export function missingInGraphs({ operators, ...counts }: GraphTotals): string[] {
  return [
    ...Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [`graphs: ${name}`] : [])),
    ...stepKinds.filter((kind) => (operators[kind] ?? 0) === 0),
  ]
}
