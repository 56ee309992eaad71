import type { OutletFacts } from '../console/snapshot.ts'
import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import type { OutletEnd } from './outletPlan.ts'
import type { RunTotals } from './taskTotals.ts'

/** How an outlet is doing. */
export type OutletCount = Omit<OutletFacts, 'perS'>

/** Sums up, in the order in which the pipeline names its outlets. */
export function outletCounts(
  ends: readonly OutletEnd[],
  totals: RunTotals,
  tasks: readonly TaskStatus[],
): readonly OutletCount[] {
  const sending = tasks.flatMap((task) => task.sending)
  return ends.map((end) => {
    const own = sending.filter(({ name }) => name === end.outlet)
    return {
      ...end,
      count: totals.outlets.get(end.outlet) ?? 0,
      waiting: own.reduce((sum, { waiting }) => sum + waiting, 0),
      refused: own.reduce((sum, { refused }) => sum + refused, 0),
    }
  })
}
