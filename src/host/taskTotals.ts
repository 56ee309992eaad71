import type { TaskStatus } from '../runtime/task/taskStatus.ts'

/** What a run has done since its start, whoever of its workers did it. */
export interface RunTotals {
  readonly records: number
  readonly deadLetters: number
  /** Rows and messages, by outlet. */
  readonly outlets: ReadonlyMap<string, number>
  /** Values that came to operators and that they passed on, by operator. */
  readonly operators: ReadonlyMap<string, ValueCounts>
}

/** How many values came to an operator, and how many it passed on. */
export interface ValueCounts {
  readonly valuesIn: number
  readonly valuesOut: number
}

const none: RunTotals = { records: 0, deadLetters: 0, outlets: new Map(), operators: new Map() }

/**
 * Adds up what one owner of a partition after the other has done: a worker that was killed, or a partition that went elsewhere, takes nothing back. An owner is
 * known by the generation of its first claim. Keeps the counts of those that still report, and one sum for all others.
 */
export class TaskTotals {
  #past: RunTotals = none
  #lives: ReadonlyMap<string, RunTotals> = new Map()

  /** @param tasks all that is reported now, also where two claim one partition */
  over(tasks: readonly TaskStatus[]): RunTotals {
    const lives = new Map(tasks.map((task) => [`${task.partition}/${task.firstGeneration}`, totalsOf(task)]))
    for (const [life, counts] of this.#lives) if (!lives.has(life)) this.#past = plus(this.#past, counts)
    this.#lives = lives
    return [...lives.values()].reduce(plus, this.#past)
  }
}

/** One task a partition, in their order; where two workers claim one, that of the newer generation. */
export function ownersOf(tasks: readonly TaskStatus[]): readonly TaskStatus[] {
  const owners = new Map<number, TaskStatus>()
  for (const task of tasks) {
    const other = owners.get(task.partition)
    if (other === undefined || other.generation < task.generation) owners.set(task.partition, task)
  }
  return [...owners.values()].sort((a, b) => a.partition - b.partition)
}

function totalsOf({ records, deadLetters, outlets, operators }: TaskStatus): RunTotals {
  return {
    records,
    deadLetters,
    outlets: new Map(Object.entries(outlets)),
    operators: new Map(operators.map(({ name, valuesIn, valuesOut }) => [name, { valuesIn, valuesOut }])),
  }
}

function plus(a: RunTotals, b: RunTotals): RunTotals {
  return {
    records: a.records + b.records,
    deadLetters: a.deadLetters + b.deadLetters,
    outlets: plusEach(a.outlets, b.outlets, (x, y) => x + y),
    operators: plusEach(a.operators, b.operators, (x, y) => ({
      valuesIn: x.valuesIn + y.valuesIn,
      valuesOut: x.valuesOut + y.valuesOut,
    })),
  }
}

function plusEach<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>, sum: (x: T, y: T) => T): Map<string, T> {
  const sums = new Map(a)
  for (const [name, count] of b) {
    const other = sums.get(name)
    sums.set(name, other === undefined ? count : sum(other, count))
  }
  return sums
}
