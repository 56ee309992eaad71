import type { Severity } from './expectation.ts'
import type { QualityWindow } from './qualityWindow.ts'

/**
 * What came of an expectation: `pass`; `warn` and `fail`, by its severity, where rows failed; `error` where it could not be judged, which blocks whatever the severity; `none`
 * where there was nothing to judge, and that was allowed.
 */
export type CheckState = 'pass' | 'none' | 'warn' | 'fail' | 'error'

/** An expectation that a window did not pass. */
export interface QualityProblem {
  /** The name of the expectation. */
  readonly expectation: string
  /** Of the expectation. */
  readonly severity: Severity
  /** What came of it in this window. */
  readonly state: Exclude<CheckState, 'pass'>
  /** How many rows were looked at. */
  readonly rows: number
  /** How many of them failed. */
  readonly failing: number
  /** What is wrong, for people. */
  readonly reason: string
}

/** What may be made of a window. */
export interface WindowVerdict {
  /** As it was given. */
  readonly window: QualityWindow
  /** True where something blocks: make nothing of its rows. */
  readonly isBlocked: boolean
  /** In the order of the expectations; none where all passed. */
  readonly problems: readonly QualityProblem[]
}

/** What came of an expectation over all windows. */
export interface QualityResult {
  /** The name of the expectation. */
  readonly expectation: string
  /** Of the expectation. */
  readonly severity: Severity
  /** The worst of its windows. */
  readonly state: CheckState
  /** How many windows were judged. */
  readonly windows: number
  /** How many of them passed. */
  readonly passed: number
  /** How many rows were looked at. */
  readonly rows: number
  /** How many of them failed. */
  readonly failing: number
  /** Of the first window that did not pass; null where all did. */
  readonly reason: string | null
}

/** What a check came to. */
export interface QualityVerdict {
  /** True where a window is blocked. */
  readonly isBlocked: boolean
  /** In the order in which the windows were given. */
  readonly windows: readonly WindowVerdict[]
  /** In the order of the expectations. */
  readonly results: readonly QualityResult[]
}

const order: readonly CheckState[] = ['pass', 'none', 'warn', 'fail', 'error']

export function worseOf(one: CheckState, other: CheckState): CheckState {
  return order.indexOf(one) >= order.indexOf(other) ? one : other
}

export function blocks(state: CheckState): boolean {
  return state === 'fail' || state === 'error'
}
