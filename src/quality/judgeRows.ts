import pg from 'pg'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { attempt } from './attempt.ts'
import { expectationText } from './expectationName.ts'
import {
  type FailingRows,
  type Judgement,
  type NamedExpectation,
  type OpenWindows,
  unjudged,
  type WindowCount,
} from './judgement.ts'
import { type RowExpectation, rowCondition } from './rowConditions.ts'
import { numberColumn, type Scope } from './scope.ts'
import { SqlParameters } from './sqlParameters.ts'

type NamedRowExpectation = NamedExpectation & RowExpectation

interface CountedRow {
  readonly n: number
  readonly looked: number
  readonly failing: readonly number[]
}

const number = quoteIdentifier(numberColumn)

/**
 * Judges all of them in one statement. Where the server refuses that, each by itself, so that one which is broken is known by its name and spoils no other.
 * @param open which windows the server is asked of
 */
export async function judgeRows(
  client: pg.ClientBase,
  scope: Scope,
  expectations: readonly NamedRowExpectation[],
  open: OpenWindows,
): Promise<readonly Judgement[]> {
  const { numbers, known } = open
  if (expectations.length === 0) return []
  const rows = numbers.length === 0 ? [] : await counted(client, scope, expectations, numbers)
  if (!(rows instanceof pg.DatabaseError)) return expectations.map((one, i) => judgement(scope, one, rows, i, known))
  if (expectations.length === 1) return [unjudged(expectations[0] as NamedRowExpectation, rows.message)]
  const judgements: Judgement[] = []
  for (const one of expectations) judgements.push(...(await judgeRows(client, scope, [one], open)))
  return judgements
}

/** How many rows each window has; an error that says why it is not known. */
export function countRows(client: pg.ClientBase, scope: Scope): Promise<readonly CountedRow[] | pg.DatabaseError> {
  return counted(client, scope, [])
}

function counted(
  client: pg.ClientBase,
  scope: Scope,
  expectations: readonly NamedRowExpectation[],
  numbers?: readonly number[],
): Promise<readonly CountedRow[] | pg.DatabaseError> {
  const parameters = new SqlParameters()
  const conditions = expectations.map((one, i) => rowCondition(one, scope, parameters, `millrace ${i}`))
  const looked = scope.lookedAt(
    parameters,
    conditions.flatMap(({ derived }) => derived),
    numbers,
  )
  const failing = conditions.map(({ sql }) => `count(*) FILTER (WHERE (${sql}) IS NOT TRUE)::float8`)
  const text = `WITH ${looked} SELECT r.${number} AS n, count(*)::float8 AS looked, ARRAY[${failing.join(', ')}]::float8[] AS failing FROM looked r GROUP BY 1`
  return attempt(client, async () => (await client.query<CountedRow>(text, parameters.values)).rows)
}

function judgement(
  scope: Scope,
  expectation: NamedRowExpectation,
  rows: readonly CountedRow[],
  index: number,
  known: readonly WindowCount[],
): Judgement {
  const counts = rows.map(({ n, looked, failing }): [number, WindowCount] => [
    n,
    { n, looked, failing: failing[index] ?? looked },
  ])
  return {
    expectation,
    error: null,
    counts: new Map([...known.map((count) => [count.n, count] as const), ...counts]),
    failingRows: failingRows(scope, expectation),
    nothing: null,
    reason: ({ failing, looked }) => `${failing} of ${looked} rows fail: ${expectationText(expectation)}`,
  }
}

function failingRows(scope: Scope, expectation: NamedRowExpectation): FailingRows {
  return (parameters, numbers) => {
    const { sql, derived } = rowCondition(expectation, scope, parameters, 'millrace 0')
    const ours = parameters.add([numberColumn, ...derived.map(({ name }) => name)])
    return `WITH ${scope.lookedAt(parameters, derived, numbers)}
      SELECT r.${number} AS n, to_jsonb(r) - ${ours}::text[] AS "row", NULL::jsonb AS expected, r.${scope.time}::timestamptz AS "order" FROM looked r WHERE (${sql}) IS NOT TRUE`
  }
}
