import { type FaultKind, faultKinds } from '../../src/testing/faults/faults.ts'
import type { GraphReport, GraphSchedule } from '../../src/testing/simulation/graphs/runGraph.ts'
import type { UnkindCounts } from '../../src/testing/unkind/unkindTrades.ts'
import { type GraphTotals, graphTotalsOf, missingInGraphs, noGraphs, sumOfGraphs } from './graphTotals.ts'
import type { ScheduleReport } from './runSchedule.ts'

/** What happened in many schedules, as plain data that can be sent between threads. */
export interface Totals {
  schedules: number
  crashes: number
  late: number
  different: number
  firstBadSeed: number | null
  takeovers: number
  restarts: number
  zombiesFenced: number
  deadLetters: number
  objects: number
  records: number
  faults: Partial<Record<FaultKind, number>>
  input: Partial<UnkindCounts>
  graphs: GraphTotals
}

const inputKinds: readonly (keyof UnkindCounts)[] = [
  'trades',
  'repeats',
  'corrections',
  'late',
  'broken',
  'leaps',
  'notTrades',
  'heartbeats',
  'halts',
  'gaps',
  'filled',
]

export function noTotals(): Totals {
  return {
    schedules: 0,
    crashes: 0,
    late: 0,
    different: 0,
    firstBadSeed: null,
    takeovers: 0,
    restarts: 0,
    zombiesFenced: 0,
    deadLetters: 0,
    objects: 0,
    records: 0,
    faults: {},
    input: {},
    graphs: noGraphs,
  }
}

export function totalsOf(report: ScheduleReport, records: number, input: UnkindCounts): Totals {
  const { crashes, late, takeovers, restarts, zombiesFenced, deadLetters, objects } = report
  const isDifferent = report.differences.length > 0
  return {
    schedules: 1,
    different: isDifferent ? 1 : 0,
    firstBadSeed: isDifferent ? report.seed : null,
    ...{ crashes, late, takeovers, restarts, zombiesFenced, deadLetters, objects, records },
    faults: Object.fromEntries(report.faults),
    input,
    graphs: noGraphs,
  }
}

export function graphSeedTotals(schedule: GraphSchedule, report: GraphReport): Totals {
  const { differences, result } = report
  const isDifferent = differences.length > 0
  const letters = result?.outcome.get('dead letters') ?? []
  return {
    ...noTotals(),
    schedules: 1,
    different: isDifferent ? 1 : 0,
    firstBadSeed: isDifferent ? report.seed : null,
    crashes: result?.crashes ?? 0,
    takeovers: result?.takeovers ?? 0,
    restarts: result?.restarts ?? 0,
    zombiesFenced: result?.zombiesFenced ?? 0,
    late: letters.filter((line) => line.includes('"reason":"late"')).length,
    deadLetters: letters.length,
    records: schedule.input.records.length,
    faults: Object.fromEntries(result?.faults ?? []),
    graphs: graphTotalsOf(schedule, report),
  }
}

export function sumOf(a: Totals, b: Totals): Totals {
  const seeds = [a.firstBadSeed, b.firstBadSeed].filter((seed) => seed !== null)
  return {
    schedules: a.schedules + b.schedules,
    crashes: a.crashes + b.crashes,
    late: a.late + b.late,
    different: a.different + b.different,
    firstBadSeed: seeds.length === 0 ? null : Math.min(...seeds),
    takeovers: a.takeovers + b.takeovers,
    restarts: a.restarts + b.restarts,
    zombiesFenced: a.zombiesFenced + b.zombiesFenced,
    deadLetters: a.deadLetters + b.deadLetters,
    objects: a.objects + b.objects,
    records: a.records + b.records,
    faults: Object.fromEntries(faultKinds.map((kind) => [kind, (a.faults[kind] ?? 0) + (b.faults[kind] ?? 0)])),
    input: Object.fromEntries(inputKinds.map((kind) => [kind, (a.input[kind] ?? 0) + (b.input[kind] ?? 0)])),
    graphs: sumOfGraphs(a.graphs, b.graphs),
  }
}

/** What a large run should have met and did not: a simulation that never does a thing proves nothing about it. */
export function missingIn(totals: Totals): string[] {
  const { crashes, late, takeovers, restarts, zombiesFenced, deadLetters, objects } = totals
  const counts: Record<string, number> = { crashes, late, takeovers, restarts, zombiesFenced, deadLetters, objects }
  return [
    ...Object.keys(counts).filter((name) => counts[name] === 0),
    ...faultKinds.filter((kind) => (totals.faults[kind] ?? 0) === 0),
    ...inputKinds.filter((kind) => (totals.input[kind] ?? 0) === 0),
    ...missingInGraphs(totals.graphs),
  ]
}
