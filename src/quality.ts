import './runtime/checkNode.ts'

export { checkQuality } from './quality/checkQuality.ts'
export type { Comparison, Condition, Operand } from './quality/condition.ts'
export type {
  AcceptedValues,
  Aggregate,
  Allowance,
  AnyExpectation,
  Complete,
  Equals,
  Expectation,
  Fresh,
  Holds,
  Increasing,
  Matches,
  NotNull,
  OfValues,
  Order,
  Range,
  References,
  RowCount,
  Severity,
  Shape,
  Unique,
} from './quality/expectation.ts'
export { type DeclaredColumn, defineQuality, type Quality, type QualityOptions } from './quality/quality.ts'
export type { QualityWindow } from './quality/qualityWindow.ts'
export type { QualityRun } from './quality/saveQuality.ts'
export type { CheckState, QualityProblem, QualityResult, QualityVerdict, WindowVerdict } from './quality/verdict.ts'
