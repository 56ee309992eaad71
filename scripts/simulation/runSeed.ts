import { Random } from '../../src/testing/random.ts'
import { describePlan } from '../../src/testing/simulation/graphs/plan.ts'
import { runGraph } from '../../src/testing/simulation/graphs/runGraph.ts'
import { graphScheduleOf } from './graphSchedule.ts'
import { runSchedule } from './runSchedule.ts'
import { scheduleOf } from './schedule.ts'
import { graphSeedTotals, noTotals, type Totals, totalsOf } from './totals.ts'

/** What came of one seed. */
export interface SeedReport {
  readonly differences: readonly string[]
  readonly totals: Totals
}

/** Runs what the seed has drawn: the realtime pipeline or a random graph, half of the seeds each. A run that cannot end is a bad one like any other. */
export function runSeed(seed: number): Promise<SeedReport> {
  return drawsGraph(seed) ? runGraphSeed(seed) : runRealtimeSeed(seed)
}

export function drawsGraph(seed: number): boolean {
  return new Random(`kind of schedule ${seed}`).chance(0.5)
}

async function runRealtimeSeed(seed: number): Promise<SeedReport> {
  const schedule = scheduleOf(seed)
  try {
    const report = await runSchedule(schedule)
    const totals = totalsOf(report, schedule.options.records.length, schedule.input.counts)
    return { differences: report.differences, totals }
  } catch (error) {
    return failed(seed, [`! ${textOf(error)}`])
  }
}

async function runGraphSeed(seed: number): Promise<SeedReport> {
  const schedule = graphScheduleOf(seed)
  try {
    const report = await runGraph(schedule)
    return { differences: report.differences, totals: graphSeedTotals(schedule, report) }
  } catch (error) {
    return failed(seed, [`  ${describePlan(schedule.plan)}`, `! ${textOf(error)}`])
  }
}

function failed(seed: number, differences: readonly string[]): SeedReport {
  return { differences, totals: { ...noTotals(), schedules: 1, different: 1, firstBadSeed: seed } }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
