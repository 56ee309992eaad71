import type { TaskStatus } from '../runtime/taskStatus.ts'
import type { OutletEnd } from './outletPlan.ts'

/** How much an outlet has had committed, since the start of the process. */
export interface OutletCount extends OutletEnd {
  /** Rows or messages. */
  readonly count: number
}

/** Sums up over the tasks, in the order in which the pipeline names its outlets. */
export function outletCounts(ends: readonly OutletEnd[], tasks: readonly TaskStatus[]): readonly OutletCount[] {
  return ends.map((end) => ({ ...end, count: tasks.reduce((sum, task) => sum + (task.outlets[end.outlet] ?? 0), 0) }))
}
