import type { StreamTask } from '../task/streamTask.ts'
import type { OperatorStatus } from '../task/taskStatus.ts'

/** What the operators of a task have taken and given so far, at one cut. */
export type OperatorCounts = readonly Pick<OperatorStatus, 'name' | 'valuesIn' | 'valuesOut'>[]

/**
 * What the operators of a task have done, for its status. Values count once they are committed, as records and rows do, so that what is read again after a failure
 * counts once. Goes on where the life before has ended.
 */
export class OperatorTally {
  readonly #before: ReadonlyMap<string, OperatorStatus>
  #committed: OperatorCounts = []
  #held: readonly OperatorStatus[] = []

  /** @param before what the life before has told last */
  constructor(before: readonly OperatorStatus[]) {
    this.#before = new Map(before.map((operator) => [operator.name, operator]))
  }

  /** Looks at what the operators hold, which takes longer than to count. */
  look(task: StreamTask): void {
    this.#held = task.operatorStatus()
  }

  /** These counts are of a checkpoint that was stored. */
  committed(counts: OperatorCounts): void {
    this.#committed = counts
  }

  status(): OperatorStatus[] {
    return this.#held.map(({ name, keyCount, openUntil, heldBy }, i) => {
      const before = this.#before.get(name)
      const { valuesIn = 0, valuesOut = 0 } = this.#committed[i] ?? {}
      return {
        name,
        valuesIn: (before?.valuesIn ?? 0) + valuesIn,
        valuesOut: (before?.valuesOut ?? 0) + valuesOut,
        keyCount,
        openUntil,
        heldBy,
      }
    })
  }
}
