import { defaultKeeperLimits, type KeeperLimits } from './connectionKeeper.ts'

export interface LiveLimits extends KeeperLimits {
  /** Received and not yet read, before the socket is held back. */
  readonly maxHeldBytes: number
  readonly restTimeoutMs: number
  /** Longest wait of all symbols for one gap to be filled. */
  readonly fillDeadlineMs: number
  /** A larger gap is reported instead of filled; by weight it is what a fifth of a minute's budget fetches. */
  readonly maxFillTrades: number
  /** Longest wait of a read without a frame. */
  readonly idleReadMs: number
}

export const defaultLiveLimits: LiveLimits = {
  ...defaultKeeperLimits,
  maxHeldBytes: 32 * 1024 * 1024,
  restTimeoutMs: 5_000,
  fillDeadlineMs: 30_000,
  maxFillTrades: 50_000,
  idleReadMs: 1_000,
}
