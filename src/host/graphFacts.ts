import type { InputFacts, OperatorFacts } from '../console/snapshot.ts'
import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import type { RunTotals } from './taskTotals.ts'

/**
 * Sums the inputs up over the tasks.
 * @param lagMs how far the watermark is behind the present
 */
export function inputFacts(tasks: readonly TaskStatus[], lagMs: number | null): readonly InputFacts[] {
  const inputs = new Map<string, InputFacts>()
  for (const task of tasks) {
    for (const [i, { name, topic, movesTime, nextOffset, logEndOffset }] of task.inputs.entries()) {
      const before = inputs.get(name)
      // Of the leading input it is known what is committed, and what is only read counts as behind.
      const behind = i === 0 ? task.logEndOffset - task.committedOffset : logEndOffset - nextOffset
      inputs.set(name, {
        name,
        topic,
        nextOffset: (before?.nextOffset ?? 0) + (i === 0 ? task.nextOffset : nextOffset),
        lagRecords: (before?.lagRecords ?? 0) + Math.max(0, behind),
        lagMs: movesTime ? lagMs : null,
      })
    }
  }
  return [...inputs.values()]
}

/** Sums the operators up: what was done since the start of the run, and what the tasks hold now. */
export function operatorFacts(tasks: readonly TaskStatus[], totals: RunTotals): readonly OperatorFacts[] {
  const operators = new Map<string, OperatorFacts>()
  // Of several tasks, the one that is furthest back says what its time waits for.
  const slowestFirst = [...tasks].sort((a, b) => reached(a) - reached(b))
  for (const { name, keyCount, openUntil, heldBy } of slowestFirst.flatMap((task) => task.operators)) {
    const before = operators.get(name)
    operators.set(name, {
      name,
      valuesIn: totals.operators.get(name)?.valuesIn ?? 0,
      valuesOut: totals.operators.get(name)?.valuesOut ?? 0,
      keyCount: (before?.keyCount ?? 0) + keyCount,
      openUntil: later(before?.openUntil ?? null, openUntil),
      heldBy: before?.heldBy ?? heldBy,
    })
  }
  return [...operators.values()]
}

function reached({ watermark }: TaskStatus): number {
  return watermark ?? Number.MIN_SAFE_INTEGER
}

function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b)
}
