import { defaultKeeperLimits, type KeeperLimits } from './connectionKeeper.ts'

export interface LiveLimits extends KeeperLimits {
  /** Received and not yet read, before the socket is held back. */
  readonly maxHeldBytes: number
  readonly restTimeoutMs: number
  /** Longest wait of all symbols for gaps to be filled; where REST is away, all gaps together. */
  readonly fillDeadlineMs: number
  /** A larger gap is not waited for but filled later; by weight it is what a fifth of a minute's budget fetches. */
  readonly maxFillTrades: number
  /** How often gaps that are open are tried again. */
  readonly lateRetryMs: number
  /** A gap that is open for longer is given up: windows are kept for it as long. */
  readonly maxGapAgeMs: number
  /** So many gaps are kept open; of more the oldest is given up. */
  readonly maxGaps: number
  /** A trade that a ticker or a candle has named, and that has not come after so long, is missing: its stream has stalled. */
  readonly proofGraceMs: number
  /** Nothing of a symbol for so long is told; its connection is replaced. Sooner where it is heard of more often than that, by its own rhythm. */
  readonly symbolStallMs: number
  /** The same, of a symbol that is heard of every second. Less than windows wait for late trades. */
  readonly busyStallMs: number
  /** How often it is asked whether the symbols are still traded. */
  readonly statusEveryMs: number
  /** Longest wait of a topic of aggregates for those that are missing. */
  readonly aggWaitMs: number
  /** More aggregates than these are not fetched: by weight, an eighth of a minute's budget. */
  readonly maxAggFill: number
  /** Longest wait of a read without a frame. */
  readonly idleReadMs: number
}

export const defaultLiveLimits: LiveLimits = {
  ...defaultKeeperLimits,
  maxHeldBytes: 32 * 1024 * 1024,
  restTimeoutMs: 5_000,
  fillDeadlineMs: 30_000,
  maxFillTrades: 50_000,
  lateRetryMs: 5_000,
  maxGapAgeMs: 86_400_000,
  maxGaps: 1_000,
  proofGraceMs: 3_000,
  symbolStallMs: 60_000,
  busyStallMs: 15_000,
  statusEveryMs: 600_000,
  aggWaitMs: 600_000,
  maxAggFill: 200_000,
  idleReadMs: 1_000,
}
