import type { Quality } from './quality.ts'
import type { SqlParameters } from './sqlParameters.ts'
import type { CheckState, QualityProblem } from './verdict.ts'

/** An expectation as a quality has it. */
export type NamedExpectation = Quality['expectations'][number]

/** What a statement says of a window. */
export interface WindowCount {
  /** Which window. */
  readonly n: number
  /** How many rows, or steps, were looked at. */
  readonly looked: number
  readonly failing: number
  /** For people, where there is more to say. */
  readonly found?: string | null
}

/** The windows that the server is asked of. */
export interface OpenWindows {
  readonly numbers: readonly number[]
  /** What is known of the others. */
  readonly known: readonly WindowCount[]
}

/** Makes a statement that gives the failing rows of some windows: n, "row", expected and "order". */
export type FailingRows = (parameters: SqlParameters, numbers: readonly number[]) => string

/** What was found of one expectation. */
export interface Judgement {
  readonly expectation: NamedExpectation
  /** Why it could not be judged at all; null where it was. */
  readonly error: string | null
  /** By window; one that is missing had nothing to look at. */
  readonly counts: ReadonlyMap<number, WindowCount>
  /** Null where no row is to blame. */
  readonly failingRows: FailingRows | null
  /** Why nothing to look at is none; null where it is an error. */
  readonly nothing: string | null
  /** Of a failing window. */
  readonly reason: (count: WindowCount) => string
}

export function unjudged(expectation: NamedExpectation, error: string): Judgement {
  return { expectation, error, counts: new Map(), failingRows: null, nothing: null, reason: () => error }
}

const noRows: WindowCount = { n: -1, looked: 0, failing: 0 }

/** What an expectation makes of a window; null where it passes. */
export function problemOf(judgement: Judgement, n: number): QualityProblem | null {
  const { expectation, error, nothing } = judgement
  const { name, severity = 'block' } = expectation
  const count = judgement.counts.get(n) ?? noRows
  const problem = (state: Exclude<CheckState, 'pass'>, reason: string): QualityProblem => ({
    expectation: name,
    severity,
    state,
    rows: count.looked,
    failing: count.failing,
    reason,
  })
  if (error !== null) return problem('error', error)
  if (expectation.kind !== 'rowCount' && count.looked === 0) {
    return nothing === null ? problem('error', 'there are no rows to look at') : problem('none', nothing)
  }
  if (isAllowed(expectation, count)) return null
  return problem(severity === 'warn' ? 'warn' : 'fail', judgement.reason(count))
}

function isAllowed({ allow }: NamedExpectation, { looked, failing }: WindowCount): boolean {
  if (failing === 0) return true
  if (allow === undefined) return false
  const { rows = Number.POSITIVE_INFINITY, share = 1 } = allow
  // Divided, a share is the number that was written; multiplied, 0.29 of 100 rows are fewer than 29.
  return failing <= rows && failing / looked <= share
}
