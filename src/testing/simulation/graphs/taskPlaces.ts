import type { GraphInput } from './graphInput.ts'
import type { GraphPlan } from './plan.ts'

/** One of the partitions that a task reads. */
export interface TaskPlace {
  /** Which input of the plan, the leading one being 0. */
  readonly input: number
  readonly partition: number
}

/** The tasks of a graph, by the partitions that name them. */
export function tasksOf({ isOneTask }: GraphPlan, { partitions }: GraphInput): readonly number[] {
  return Array.from({ length: isOneTask ? 1 : partitions }, (_, task) => task)
}

/** What a task reads, in the order of its inputs: its own partition of each, or all of those that are read whole. */
export function placesOf(plan: GraphPlan, input: GraphInput, task: number): readonly TaskPlace[] {
  const counts = [input.partitions, ...input.otherPartitions]
  return counts.flatMap((count, i) =>
    isWhole(plan, i)
      ? Array.from({ length: count }, (_, partition) => ({ input: i, partition }))
      : [{ input: i, partition: task }],
  )
}

/** Whether the input is read whole by each of several tasks. */
export function isShared({ isOneTask, others }: GraphPlan, input: number): boolean {
  return !isOneTask && others[input - 1]?.isWhole === true
}

function isWhole({ isOneTask, others }: GraphPlan, input: number): boolean {
  return isOneTask || others[input - 1]?.isWhole === true
}
