import pg from 'pg'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { attempt } from './attempt.ts'
import { conditionSql } from './conditionSql.ts'
import type { Aggregate, Complete, Equals, Expectation, Fresh } from './expectation.ts'
import { durationText } from './expectationName.ts'
import { type Judgement, type NamedExpectation, type OpenWindows, unjudged, type WindowCount } from './judgement.ts'
import { numberColumn, type Scope } from './scope.ts'
import { SqlParameters } from './sqlParameters.ts'

/** A statement over all windows, and what goes with it. */
interface WindowStatements extends Pick<Judgement, 'failingRows' | 'nothing' | 'reason'> {
  /** @param numbers of the windows; all where they are left out */
  readonly counts: (parameters: SqlParameters, numbers?: readonly number[]) => string
}

export type WindowExpectation = Extract<Expectation, { kind: 'complete' | 'fresh' | 'aggregate' | 'equals' }>

/**
 * Judges what is said of windows, and not of rows: one statement over all of them.
 * @param open which windows the server is asked of
 */
export async function judgeWindows(
  client: pg.ClientBase,
  scope: Scope,
  expectation: NamedExpectation & WindowExpectation,
  open: OpenWindows,
): Promise<Judgement> {
  const { counts: countsOf, failingRows, nothing, reason } = windowStatements(expectation, scope)
  const ask = async () => {
    const parameters = new SqlParameters()
    return (await client.query<WindowCount>(countsOf(parameters, open.numbers), parameters.values)).rows
  }
  const rows = open.numbers.length === 0 ? [] : await attempt(client, ask)
  if (rows instanceof pg.DatabaseError) return unjudged(expectation, rows.message)
  const counts = new Map([...open.known, ...rows].map((count) => [count.n, count]))
  return { expectation, error: null, counts, failingRows, nothing, reason }
}

export function isWindowExpectation<E extends Expectation>(expectation: E): expectation is E & WindowExpectation {
  return ['complete', 'fresh', 'aggregate', 'equals'].includes(expectation.kind)
}

function windowStatements(expectation: WindowExpectation, scope: Scope): WindowStatements {
  switch (expectation.kind) {
    case 'complete':
      return complete(expectation, scope)
    case 'fresh':
      return fresh(expectation, scope)
    case 'aggregate':
      return aggregate(expectation, scope)
    case 'equals':
      return equals(expectation, scope)
  }
}

function complete({ every, lateBy = 0 }: Complete, scope: Scope): WindowStatements {
  const stepMs = durationMs(every, 'every')
  const over = scope.now - durationMs(lateBy as Duration, 'lateBy')
  /** Each window with its steps that are over: how many, and where the last of them ends; and the beginning of the step that a row of it is in. */
  const steps = (parameters: SqlParameters, numbers?: readonly number[]) => {
    const step = `${parameters.add(stepMs)}::bigint`
    const end = `least(window_to, ${parameters.add(new Date(over).toISOString())}::timestamptz)`
    const rows = scope.rowsOf(scope.table, scope.isInWindow(parameters, 'r'))
    return {
      wanted: `given AS (${scope.windowRows(parameters, numbers)}),
        counted AS (SELECT *, greatest(0, floor(extract(epoch FROM ${end} - window_from) * 1000 / ${step}))::bigint AS steps, ${step} * interval '1 millisecond' AS step FROM given),
        win AS MATERIALIZED (SELECT *, window_from + steps * step AS steps_to FROM counted)`,
      present: `SELECT date_bin(win.step, r.${scope.time}::timestamptz, win.window_from) AS at FROM ${rows} AS r WHERE r.${scope.time}::timestamptz < win.steps_to`,
    }
  }
  return {
    counts: (parameters, numbers) => {
      const { wanted, present } = steps(parameters, numbers)
      return `WITH ${wanted} SELECT win.n, win.steps::float8 AS looked, (win.steps - present.steps)::float8 AS failing
        FROM win CROSS JOIN LATERAL (SELECT count(DISTINCT step.at) AS steps FROM (${present}) AS step) AS present`
    },
    failingRows: (parameters, numbers) => {
      const { wanted, present } = steps(parameters, numbers)
      return `WITH ${wanted}, missing AS (
        SELECT win.n, win.key, gap.at FROM win CROSS JOIN LATERAL (
          SELECT win.window_from + number * win.step AS at FROM generate_series(0, win.steps - 1) AS number EXCEPT ${present}
        ) AS gap
      )
      SELECT n, key || jsonb_build_object(${parameters.add(scope.quality.time)}::text, at) AS "row", NULL::jsonb AS expected, at AS "order" FROM missing`
    },
    nothing: `no ${durationText(every)} of it is over yet`,
    reason: ({ failing, looked }) => `${failing} of ${looked} steps of ${durationText(every)} have no row`,
  }
}

function fresh({ within }: Fresh, scope: Scope): WindowStatements {
  return {
    counts: (parameters, numbers) => {
      const keys = scope.quality.by.map((_, i) => `by${i}`)
      const oldest = parameters.add(new Date(scope.now - durationMs(within, 'within')).toISOString())
      const same = keys.map((key) => `newest.${key} = win.${key}`).join(' AND ')
      return `WITH win AS (${scope.windowRows(parameters, numbers)}), keys AS (SELECT ${keys.length === 0 ? '1' : `DISTINCT ${keys.join(', ')} FROM win`}),
        newest AS MATERIALIZED (SELECT win.*, (SELECT max(r.${scope.time}) FROM ${scope.table} r WHERE ${scope.isOfKey(parameters, 'r')})::timestamptz AS at FROM keys AS win)
        SELECT win.n, count(newest.at)::float8 AS looked, count(*) FILTER (WHERE newest.at < ${oldest}::timestamptz)::float8 AS failing, max(newest.at)::text AS found
        FROM win JOIN newest ON ${same === '' ? 'true' : same} GROUP BY win.n`
    },
    failingRows: null,
    nothing: null,
    reason: ({ found }) => `the newest row is of ${found ?? 'never'}`,
  }
}

const aggregates: Readonly<Record<Aggregate['of'], (column: string) => string>> = {
  sum: (column) => `sum(${column})`,
  average: (column) => `avg(${column})`,
  least: (column) => `min(${column})`,
  greatest: (column) => `max(${column})`,
  distinct: (column) => `count(DISTINCT ${column})`,
  deviation: (column) => `stddev_samp(${column})`,
}

function aggregate({ of, column, min, max }: Aggregate, scope: Scope): WindowStatements {
  const value = aggregates[of](`r.${quoteIdentifier(column)}`)
  return {
    counts: (parameters, numbers) => {
      const bounds = (
        [
          ['>=', min],
          ['<=', max],
        ] as const
      ).flatMap(([sign, bound]) => (bound === undefined ? [] : [`value ${sign} ${parameters.add(String(bound))}`]))
      return `WITH ${scope.lookedAt(parameters, [], numbers)},
        made AS (SELECT "millrace window" AS n, count(r.${quoteIdentifier(column)}) AS looked, ${value} AS value FROM looked r GROUP BY 1)
        SELECT n, looked::float8 AS looked, CASE WHEN (${bounds.join(' AND ')} AND value::text NOT IN ('NaN', 'Infinity', '-Infinity')) IS TRUE THEN 0 ELSE 1 END AS failing, value::text AS found FROM made`
    },
    failingRows: null,
    nothing: null,
    reason: ({ found }) => `it is ${found ?? 'null'}`,
  }
}

function equals(
  { table, on, columns, otherOnly, missing = 'ignore', extra = 'ignore', nothingToCompare = 'none' }: Equals,
  scope: Scope,
): WindowStatements {
  // Rows of one window are of one key.
  const paired = on.filter((column) => !scope.quality.by.includes(column))
  const same = paired.map((column) => ` AND r.${quoteIdentifier(column)} = o.${quoteIdentifier(column)}`).join('')
  const differs = columns.map((one) => {
    const column = quoteIdentifier(typeof one === 'string' ? one : one.column)
    if (typeof one === 'string') {
      // NaN is NaN to PostgreSQL, and two broken rows are none that are equal.
      const noNumbers = (scope.columns.get(one)?.noNumbers ?? []).map((value) => `'${value}'`)
      const isNone = noNumbers.length === 0 ? '' : ` OR r.${column} IN (${noNumbers.join(', ')})`
      return () => `r.${column} IS DISTINCT FROM o.${column}${isNone}`
    }
    // What is no number is no number away from anything.
    return (parameters: SqlParameters) =>
      `(abs(r.${column} - o.${column}) <= ${parameters.add(one.within)}::numeric) IS NOT TRUE`
  })
  const number = quoteIdentifier(numberColumn)
  /** Every row of the other table in a window, as `o`, with ours beside it, as `r`; and our rows without one, where they fail. */
  const compared = (parameters: SqlParameters, numbers?: readonly number[]) => {
    const counts = otherOnly === undefined ? [] : [`(${conditionSql(otherOnly, parameters, 'r')})`]
    const ofKey = scope.quality.by.map((column, i) => `r.${quoteIdentifier(column)} = win.by${i}`)
    const inWindow = [...ofKey, `r.${scope.time} >= win."from"`, `r.${scope.time} < win."to"`, ...counts].join(' AND ')
    const isOther = differs.map((one) => one(parameters)).join(' OR ')
    const fails = `CASE WHEN r.${number} IS NULL THEN ${missing === 'fail'} ELSE ${isOther} END`
    return {
      tables: `${scope.lookedAt(parameters, [], numbers)}, theirs AS (SELECT win.n AS ${number}, o.* FROM win CROSS JOIN LATERAL ${scope.rowsOf(quoteIdentifier(table), inWindow)} AS o)`,
      from: `FROM theirs o LEFT JOIN looked r ON r.${number} = o.${number}${same}`,
      fails,
      // Left out where it is nothing: asked for twice, the rows of both tables would be kept and not just read.
      besides: (ours: string) =>
        extra === 'ignore'
          ? ''
          : `UNION ALL SELECT ${ours} FROM looked r WHERE NOT EXISTS (SELECT FROM theirs o WHERE o.${number} = r.${number}${same})`,
    }
  }
  return {
    counts: (parameters, numbers) => {
      const { tables, from, fails, besides } = compared(parameters, numbers)
      return `WITH ${tables} SELECT n, count(*) FILTER (WHERE is_there OR fails)::float8 AS looked, count(*) FILTER (WHERE fails)::float8 AS failing
        FROM (SELECT o.${number} AS n, r.${number} IS NOT NULL AS is_there, ${fails} AS fails ${from} ${besides(`r.${number}, true, true`)}) AS compared GROUP BY n`
    },
    failingRows: (parameters, numbers) => {
      const { tables, from, fails, besides } = compared(parameters, numbers)
      const mark = `${parameters.add(numberColumn)}::text`
      return `WITH ${tables} SELECT o.${number} AS n, CASE WHEN r.${number} IS NULL THEN '{}' ELSE to_jsonb(r) - ${mark} END AS "row", to_jsonb(o) - ${mark} AS expected,
        o.${scope.time}::timestamptz AS "order" ${from} WHERE ${fails}
        ${besides(`r.${number}, to_jsonb(r) - ${mark}, NULL::jsonb, r.${scope.time}::timestamptz`)}`
    },
    nothing: nothingToCompare === 'error' ? null : `${table} has no row for it`,
    reason: ({ failing, looked }) => `${failing} of ${looked} rows are not as in ${table}`,
  }
}
