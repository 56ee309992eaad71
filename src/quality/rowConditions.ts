import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { columnsOf } from './condition.ts'
import { conditionSql } from './conditionSql.ts'
import type { Expectation } from './expectation.ts'
import type { Scope } from './scope.ts'
import type { SqlParameters } from './sqlParameters.ts'

/** Expectations that each row fulfils by itself, or among the rows of its window. */
export type RowExpectation = Extract<
  Expectation,
  {
    kind:
      | 'notNull'
      | 'unique'
      | 'acceptedValues'
      | 'range'
      | 'order'
      | 'matches'
      | 'holds'
      | 'references'
      | 'increasing'
  }
>

const rowKinds: readonly Expectation['kind'][] = [
  'notNull',
  'unique',
  'acceptedValues',
  'range',
  'order',
  'matches',
  'holds',
  'references',
  'increasing',
]

export function isRowExpectation<E extends Expectation>(expectation: E): expectation is E & RowExpectation {
  return rowKinds.includes(expectation.kind)
}

/** A column that is calculated before the rows are judged. */
export interface Derived {
  readonly name: string
  readonly sql: string
}

/** What a row of `r` must fulfil. */
export interface RowCondition {
  /** Whatever is not true of it fails. */
  readonly sql: string
  readonly derived: readonly Derived[]
}

/** @param mark of the expectation, for what is derived */
export function rowCondition(
  expectation: RowExpectation,
  scope: Scope,
  parameters: SqlParameters,
  mark: string,
): RowCondition {
  switch (expectation.kind) {
    case 'notNull':
      return plain(`r.${quoteIdentifier(expectation.column)} IS NOT NULL`)
    case 'acceptedValues': {
      const { column, values } = expectation
      const list = `${parameters.add(values.map(String))}::text[]::${scope.typeOf(column)}[]`
      return ofValues(expectation, [column], `r.${quoteIdentifier(column)} = ANY (${list})`)
    }
    case 'range': {
      const { column, min, max, above, below } = expectation
      const value = `r.${quoteIdentifier(column)}`
      const type = scope.typeOf(column)
      const bounds = (
        [
          ['>=', min],
          ['<=', max],
          ['>', above],
          ['<', below],
        ] as const
      ).flatMap(([sign, bound]) =>
        bound === undefined ? [] : [`${value} ${sign} ${parameters.add(String(bound))}::text::${type}`],
      )
      // Whatever has a bound on one side can only be beyond every number on the other.
      const open: readonly End[] = [
        ...(max === undefined && below === undefined ? (['upper'] as const) : []),
        ...(min === undefined && above === undefined ? (['lower'] as const) : []),
      ]
      return ofValues(expectation, [column], [...bounds, ...finite(scope, [column], open)].join(' AND '))
    }
    case 'order': {
      const { columns, strictly } = expectation
      const steps = columns
        .slice(1)
        .map(
          (column, i) =>
            `r.${quoteIdentifier(columns[i] as string)} ${strictly === true ? '<' : '<='} r.${quoteIdentifier(column)}`,
        )
      const ends = [...finite(scope, columns.slice(0, 1), ['lower']), ...finite(scope, columns.slice(-1), ['upper'])]
      return ofValues(expectation, columns, [...steps, ...ends].join(' AND '))
    }
    case 'matches': {
      const { column, pattern } = expectation
      return ofValues(expectation, [column], `r.${quoteIdentifier(column)}::text ~ ${parameters.add(pattern)}`)
    }
    case 'holds': {
      const { that } = expectation
      const guards = finite(scope, columnsOf(that), bothEnds, true)
      return plain([`(${conditionSql(that, parameters, 'r')})`, ...guards].join(' AND '))
    }
    case 'references': {
      const { columns, table, otherColumns = columns } = expectation
      const pairs = columns.map(
        (column, i) => `o.${quoteIdentifier(otherColumns[i] as string)} = r.${quoteIdentifier(column)}`,
      )
      return ofValues(
        expectation,
        columns,
        `EXISTS (SELECT FROM ${scope.besides(table)} o WHERE ${pairs.join(' AND ')})`,
      )
    }
    case 'unique':
      return uniqueness(expectation, scope, mark)
    case 'increasing': {
      const { column, strictly } = expectation
      const name = `${mark} before`
      const sql = `lag(r.${quoteIdentifier(column)}) OVER (PARTITION BY win.n ORDER BY r.${scope.time})`
      const grows = `r.${quoteIdentifier(name)} ${strictly === true ? '<' : '<='} r.${quoteIdentifier(column)}`
      const judged = `(r.${quoteIdentifier(name)} IS NULL AND r.${quoteIdentifier(column)} IS NOT NULL OR ${grows})`
      const condition = ofValues(expectation, [column], [judged, ...finite(scope, [column])].join(' AND '))
      return { ...condition, derived: [{ name, sql }] }
    }
  }
}

function uniqueness(expectation: RowExpectation & { kind: 'unique' }, scope: Scope, mark: string): RowCondition {
  const { columns } = expectation
  if (scope.isUnique(columns)) return ofValues(expectation, columns, 'true', true)
  const quoted = columns.map((column) => quoteIdentifier(column))
  const isInWindow = [...scope.quality.by, scope.quality.time].every((column) => columns.includes(column))
  if (!isInWindow) {
    const same = quoted.map((column) => `o.${column} = r.${column}`).join(' AND ')
    return ofValues(expectation, columns, `(SELECT count(*) FROM ${scope.table} o WHERE ${same}) = 1`)
  }
  const name = `${mark} same`
  // Rows of one window are of one key.
  const others = columns.filter((column) => !scope.quality.by.includes(column))
  const sql = `count(*) OVER (PARTITION BY win.n, ${others.map((column) => `r.${quoteIdentifier(column)}`).join(', ')})`
  return { ...ofValues(expectation, columns, `r.${quoteIdentifier(name)} = 1`, true), derived: [{ name, sql }] }
}

function plain(sql: string): RowCondition {
  return { sql, derived: [] }
}

/** @param mindsNull whether the condition is true of nulls too, so that they have to be looked for */
function ofValues(
  { nullable = false }: { readonly nullable?: boolean },
  columns: readonly string[],
  sql: string,
  mindsNull = false,
): RowCondition {
  const quoted = columns.map((column) => `r.${quoteIdentifier(column)}`)
  if (nullable) return plain(`${quoted.map((column) => `${column} IS NULL`).join(' OR ')} OR (${sql})`)
  return plain(mindsNull ? `${quoted.map((column) => `${column} IS NOT NULL`).join(' AND ')} AND ${sql}` : sql)
}

type End = 'lower' | 'upper'

const bothEnds: readonly End[] = ['lower', 'upper']
const within: Readonly<Record<End, string>> = { lower: "> '-Infinity'", upper: "< 'Infinity'" }

/** NaN and infinity are beyond every number, so that they would fulfil whatever has no bound at that end. */
function finite(
  scope: Scope,
  columns: readonly string[],
  ends: readonly End[] = bothEnds,
  mayBeNull = false,
): readonly string[] {
  return [...new Set(columns)].flatMap((column) => {
    const noNumbers = scope.columns.get(column)?.noNumbers ?? []
    const beyond = ends.filter((end) => noNumbers.includes(end === 'upper' ? 'NaN' : '-Infinity'))
    if (beyond.length === 0) return []
    const value = `r.${quoteIdentifier(column)}`
    const test = beyond.map((end) => `${value} ${within[end]}`).join(' AND ')
    return [mayBeNull ? `(${value} IS NULL OR ${test})` : test]
  })
}
