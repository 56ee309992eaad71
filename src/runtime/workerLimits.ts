/** Bounds of one task's work. Times in ms of processing time. */
export interface WorkerLimits {
  /** A checkpoint is cut this often while there is something to store. */
  readonly checkpointIntervalMs: number
  /** Credit: records read but not yet confirmed by a commit. */
  readonly maxUncommittedRecords: number
  /** A checkpoint is cut early with this many rows and dead letters. */
  readonly maxUncommittedResults: number
  readonly fetchMaxBytes: number
  readonly fetchMaxWaitMs: number
  readonly retryFirstMs: number
  readonly retryMostMs: number
}

export const defaultLimits: WorkerLimits = {
  checkpointIntervalMs: 100,
  maxUncommittedRecords: 200_000,
  maxUncommittedResults: 50_000,
  fetchMaxBytes: 1_048_576,
  fetchMaxWaitMs: 500,
  retryFirstMs: 100,
  retryMostMs: 5_000,
}
