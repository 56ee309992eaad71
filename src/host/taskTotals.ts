import type { TaskStatus } from '../runtime/taskStatus.ts'

type Counts = Pick<TaskStatus, 'records' | 'deadLetters' | 'commits' | 'outlets' | 'restarts'>

const none: Counts = { records: 0, deadLetters: 0, commits: 0, outlets: {}, restarts: 0 }

/**
 * Adds up what one owner of a partition after the other has done, so that counts grow although a worker begins at 0 in each life. Keeps
 * two sets of counts a partition.
 */
export class TaskTotals {
  readonly #past = new Map<number, Counts>()
  readonly #last = new Map<number, TaskStatus>()

  /** The tasks of all workers as one list by partition; where two claim one, the newer generation counts. */
  over(tasks: readonly TaskStatus[]): readonly TaskStatus[] {
    const owners = new Map<number, TaskStatus>()
    for (const task of tasks) {
      const other = owners.get(task.partition)
      if (other === undefined || other.generation < task.generation) owners.set(task.partition, task)
    }
    return [...owners.values()].sort((a, b) => a.partition - b.partition).map((task) => this.#added(task))
  }

  #added(task: TaskStatus): TaskStatus {
    const last = this.#last.get(task.partition)
    let past = this.#past.get(task.partition) ?? none
    if (last !== undefined && task.commits < last.commits) {
      past = plus(past, last)
      this.#past.set(task.partition, past)
    }
    this.#last.set(task.partition, task)
    return { ...task, ...plus(past, task) }
  }
}

function plus(a: Counts, b: Counts): Counts {
  return {
    records: a.records + b.records,
    deadLetters: a.deadLetters + b.deadLetters,
    commits: a.commits + b.commits,
    outlets: plusEach(a.outlets, b.outlets),
    restarts: a.restarts + b.restarts,
  }
}

function plusEach(a: Counts['outlets'], b: Counts['outlets']): Record<string, number> {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]))
}
