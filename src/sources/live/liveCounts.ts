/** What a reader of live trades has done since it began, as its progress tells it. */
export interface LiveCounts {
  frames: number
  /** Trades that had been handed over before. */
  duplicates: number
  /** Times that trades were missing. */
  gaps: number
  /** Trades that were fetched while everything waited, and those that were fetched later. */
  filled: number
  filledLate: number
  /** Trades that the stream has gone on without and that have not been fetched since. */
  missing: number
  /** Times that the ids of a symbol have started again. */
  restarts: number
  /** Frames that are of no use here. */
  otherFrames: number
}

export function newLiveCounts(): LiveCounts {
  return { frames: 0, duplicates: 0, gaps: 0, filled: 0, filledLate: 0, missing: 0, restarts: 0, otherFrames: 0 }
}
