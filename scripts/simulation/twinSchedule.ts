import { Random } from '../../src/testing/random.ts'
import { drawPlan } from '../../src/testing/simulation/graphs/drawPlan.ts'
import { drawInput } from '../../src/testing/simulation/graphs/graphInput.ts'
import { allSteps, type GraphPlan, outletsOf } from '../../src/testing/simulation/graphs/plan.ts'
import type { TwinSchedule } from '../../src/testing/simulation/graphs/twin.ts'
import { withoutGaps } from '../../src/testing/simulation/simulate.ts'

/** The graph, its records and how its plain program is run, as a seed decides. */
export function twinScheduleOf(seed: number): TwinSchedule {
  const random = new Random(`twin ${seed}`)
  const plan = drawPlan(random.fork('plan'), { isForTask: false })
  const { records } = drawInput(random.fork('input'), plan, {
    startMs: Date.UTC(2024, 7, 9),
    partitions: 1,
    hasRedrives: false,
    hasGaps: false,
  })
  const isSynchronous = isOneLine(plan) && random.chance(0.5)
  const takes = new Map<string, number>()
  // How far time has to go at the end depends on what is open, so on whether a branch has ended; who counts the moves would tell, and who takes a timer back.
  if (random.chance(0.25) && !allSteps(plan).some(({ kind }) => kind === 'moves' || kind === 'silence')) {
    for (const { name } of outletsOf(plan.root)) if (random.chance(0.5)) takes.set(name, random.int(1, 40))
  }
  return { seed, plan, records: withoutGaps(records), isSynchronous, takes }
}

/** Where branches, or the sides of a join, share what comes, records that come while the first is subscribed to are over for the second: so RxJS has it. */
function isOneLine(plan: GraphPlan): boolean {
  return (
    outletsOf(plan.root).length === 1 && !allSteps(plan).some(({ kind }) => ['diamond', 'join', 'asOf'].includes(kind))
  )
}
