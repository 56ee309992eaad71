/** How far a task is in one of its inputs. */
export interface InputStatus {
  /** As the pipeline names it. */
  readonly name: string
  readonly topic: string
  /** False for a table, whose records say nothing of how far time is. */
  readonly movesTime: boolean
  /** The next offset that the graph will read. */
  readonly nextOffset: number
  /** The log's end, as last seen. */
  readonly logEndOffset: number
}

/** What one operator of a task has done since the start of this process, and holds. Values count once they are committed. */
export interface OperatorStatus {
  /** As the pipeline names it. */
  readonly name: string
  /** How many values came to it. */
  readonly valuesIn: number
  /** How many it has passed on. */
  readonly valuesOut: number
  /** How many keys its state holds. */
  readonly keyCount: number
  /** ms UTC of event time: the watermark at which nothing of it is open any more; null where nothing is. */
  readonly openUntil: number | null
  /** What its time waits for, in words, where it learns it from markers (`upstreamTime`): the upstream task that is furthest back. Null elsewhere. */
  readonly heldBy: string | null
}

/** How an outlet is doing whose messages are sent after the commit, kept up to date in place. */
export interface OutletStatus {
  /** As the pipeline calls it. */
  readonly name: string
  /** Messages that were committed, ever: a count. */
  committed: number
  /** How many of them wait to be sent. */
  waiting: number
  /** How many were refused and are set aside. */
  refused: number
  /** What is waited for, in words, or null. */
  waitingFor: string | null
}

/** How one task is doing, kept up to date in place by its runner; for consoles and status commands. Times are ms UTC. */
export interface TaskStatus {
  readonly partition: number
  /** `waiting` for something that may pass, after which it claims again; `fenced` when another owner has claimed the partition. */
  phase: 'claiming' | 'running' | 'waiting' | 'stopped' | 'fenced'
  /** What is waited for, in words, or null. */
  waitingFor: string | null
  /** Which owner of the partition this is; 0 before the first claim. */
  generation: number
  /** The generation of the first claim of this task in this process; 0 before it. All counts are of what came since. */
  firstGeneration: number
  /** The next offset that the graph will read. */
  nextOffset: number
  /** The log's end, as last seen. */
  logEndOffset: number
  /** null before the first event time. */
  watermark: number | null
  /** Where a restart would go on. */
  committedOffset: number
  /** Processing time of the last commit, or null. */
  committedAt: number | null
  /** How long the last commit took. */
  commitMs: number
  /** Where the archive goes on, or null without one. */
  archiveNextOffset: number | null
  /** Of outlets whose messages are sent after the commit, in the order of the pipeline. */
  sending: readonly OutletStatus[]
  /** How many were committed since the start of this process. */
  records: number
  /** How many were set aside since the start of this process. */
  deadLetters: number
  /** How many checkpoints were stored since the start of this process. */
  commits: number
  /** How many rows or messages each outlet has had committed, since the start of this process. */
  outlets: Record<string, number>
  /** How far it is in each input, the leading one first. */
  inputs: readonly InputStatus[]
  /** Its operators, each below what it reads. What they hold is at most about a second old. */
  operators: readonly OperatorStatus[]
  /** How many times the task began again after a failure, since the start of this process. */
  restarts: number
}

export function newTaskStatus(partition: number): TaskStatus {
  return {
    partition,
    phase: 'claiming',
    waitingFor: null,
    generation: 0,
    firstGeneration: 0,
    nextOffset: 0,
    logEndOffset: 0,
    watermark: null,
    committedOffset: 0,
    committedAt: null,
    commitMs: 0,
    archiveNextOffset: null,
    sending: [],
    records: 0,
    deadLetters: 0,
    commits: 0,
    outlets: {},
    inputs: [],
    operators: [],
    restarts: 0,
  }
}
