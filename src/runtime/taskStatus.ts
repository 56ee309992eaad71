/** How one task is doing, kept up to date in place by its runner; for consoles and status commands. Times are ms UTC. */
export interface TaskStatus {
  readonly partition: number
  phase: 'claiming' | 'running' | 'waiting' | 'stopped' | 'fenced'
  /** What is waited for, in words, or null. */
  waitingFor: string | null
  generation: number
  /** The next offset that the graph will read. */
  nextOffset: number
  /** The log's end, as last seen. */
  logEndOffset: number
  /** null before the first event time. */
  watermark: number | null
  committedOffset: number
  /** Processing time of the last commit, or null. */
  committedAt: number | null
  /** How long the last commit took. */
  commitMs: number
  archiveNextOffset: number | null
  /** Since the start of this process. */
  records: number
  deadLetters: number
  commits: number
  restarts: number
}

export function newTaskStatus(partition: number): TaskStatus {
  return {
    partition,
    phase: 'claiming',
    waitingFor: null,
    generation: 0,
    nextOffset: 0,
    logEndOffset: 0,
    watermark: null,
    committedOffset: 0,
    committedAt: null,
    commitMs: 0,
    archiveNextOffset: null,
    records: 0,
    deadLetters: 0,
    commits: 0,
    restarts: 0,
  }
}
