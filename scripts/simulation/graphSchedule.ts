import { Random } from '../../src/testing/random.ts'
import { randomAdversity } from '../../src/testing/simulation/adversity.ts'
import { drawPlan } from '../../src/testing/simulation/graphs/drawPlan.ts'
import { drawInput } from '../../src/testing/simulation/graphs/graphInput.ts'
import type { GraphSchedule } from '../../src/testing/simulation/graphs/runGraph.ts'
import { drawUnlawfulPlan } from '../../src/testing/simulation/graphs/unlawfulPlan.ts'

/** When the virtual clock starts, so that event time and the clock go about together. */
const startMs = Date.UTC(2024, 7, 9)
const unlawfulShare = 0.05

/** The run of a random graph that a seed decides. */
export function graphScheduleOf(seed: number): GraphSchedule {
  const random = new Random(`graph schedule ${seed}`)
  const drawing = random.fork('plan')
  const plan = random.chance(unlawfulShare) ? drawUnlawfulPlan(drawing) : drawPlan(drawing, { isForTask: true })
  const isWhole = plan.isOneTask || plan.others.some((other) => other.isWhole)
  const partitions = random.pick(isWhole ? [1, 2, 3] : [1, 1, 2])
  const input = drawInput(random.fork('input'), plan, { startMs, partitions, hasRedrives: true, hasGaps: true })
  const adversity = randomAdversity(seed)
  return {
    seed,
    plan,
    input,
    // Time moves by itself only where nothing comes for a while.
    adversity: plan.idleAfterMs === null ? adversity : { ...adversity, appendRecords: random.pick([3, 8]) },
    closesOpen: random.chance(0.7),
    archive: {
      maxRecords: random.int(5, 60),
      maxBytes: random.int(1_000, 20_000),
      maxPendingBytes: random.pick([2_000, 20_000, 1_000_000]),
      maxUploads: random.int(1, 3),
    },
  }
}
