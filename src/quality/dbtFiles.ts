import { createHash } from 'node:crypto'
import { durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { keyOf, namedColumns } from './contract.ts'
import { quotedLiteral } from './dbtLiteral.ts'
import type { Quality } from './quality.ts'
import { isRowExpectation, type RowExpectation, rowCondition } from './rowConditions.ts'
import { comparedType, Scope } from './scope.ts'
import { SqlParameters } from './sqlParameters.ts'
import { yamlText } from './yamlText.ts'

/** A file for a project of dbt. */
export interface DbtFile {
  /** In the folder of the project, with `/`. */
  readonly path: string
  readonly text: string
}

/** What the files say of where the tables are. */
export interface DbtOptions {
  /** Of the database. */
  readonly schema: string
}

type Named = Quality['expectations'][number]
const source = 'millrace'

/**
 * Files for those who transform with dbt: `sources.yml` with columns, their meaning and tests, a view for each table that is named after it, with its documentation, and the tests that
 * dbt does not bring. Expectations that look beyond the rows of a table (complete, equals, aggregate, increasing, how fresh each key is) are left to millrace.
 * @throws ConfigurationError where two qualities are of one table, and where values are compared of a column whose type is not declared
 */
export function dbtFiles(qualities: readonly Quality[], { schema }: DbtOptions): readonly DbtFile[] {
  const tables = new Set<string>()
  for (const { table } of qualities) {
    if (tables.has(table)) throw new ConfigurationError(`two qualities are of table ${table}; dbt takes one of each`)
    tables.add(table)
  }
  return [
    { path: 'models/millrace/sources.yml', text: note + yamlText(sourcesOf(qualities, schema, testNames(qualities))) },
    { path: 'models/millrace/bronze.yml', text: note + yamlText(modelsOf(qualities)) },
    ...qualities.map((quality) => ({
      path: `models/millrace/${viewOf(quality)}.sql`,
      text: viewText(quality),
    })),
    { path: 'tests/generic/millrace_holds.sql', text: holdsTest },
    { path: 'tests/generic/millrace_unique.sql', text: uniqueTest },
  ]
}

const note = '# Made by `millrace dbt` from what is declared of the tables. Changes are lost when it is made again.\n'

/** A view of a name that nothing else in the database has. */
function viewOf({ table }: Quality): string {
  return `bronze_${table}`
}

function sourcesOf(qualities: readonly Quality[], schema: string, nameOf: TestNames): object {
  return {
    version: 2,
    sources: [{ name: source, schema, tables: qualities.map((one) => tableOf(one, schema, nameOf)) }],
  }
}

function tableOf(quality: Quality, schema: string, nameOf: TestNames): object {
  const { table, description, expectations, time } = quality
  const tests = expectations.flatMap((one) => tableTest(quality, one, schema, nameOf))
  const fresh = expectations.find(({ kind }) => kind === 'fresh')
  const age = fresh?.kind === 'fresh' ? freshness(fresh, time) : {}
  return {
    name: table,
    ...(description === '' ? {} : { description }),
    ...age,
    ...(tests.length === 0 ? {} : { data_tests: tests }),
    columns: columnsOf(quality).map((column) => {
      const ofColumn = expectations.flatMap((one) => columnTest(quality, one, column.name, nameOf))
      return { ...column, ...(ofColumn.length === 0 ? {} : { data_tests: ofColumn }) }
    }),
  }
}

function columnsOf(quality: Quality): readonly { readonly name: string }[] {
  return namedColumns(quality).map((name) => {
    const { type, description } = quality.columns[name] ?? {}
    return {
      name,
      ...(type === undefined ? {} : { data_type: type }),
      ...(description === undefined ? {} : { description }),
    }
  })
}

/** Of the whole table, in whole minutes: dbt knows no keys, and nothing shorter. */
function freshness({ within, severity = 'block' }: Named & { kind: 'fresh' }, time: string): object {
  const count = Math.ceil(durationMs(within, 'within') / 60_000)
  const limit = severity === 'block' ? 'error_after' : 'warn_after'
  return { config: { loaded_at_field: time, freshness: { [limit]: { count, period: 'minute' } } } }
}

/** Tests that dbt brings, on the column that they are about. Nulls pass them, so that they are tested for by themselves; and dbt's look at all rows. */
function columnTest(quality: Quality, expectation: Named, column: string, nameOf: TestNames): readonly unknown[] {
  if (!isOfDbt(quality, expectation) || expectation.column !== column) return []
  if (expectation.kind === 'notNull') return [{ not_null: facts(quality, expectation, nameOf) }]
  const { values } = expectation
  const quote = values.every((value) => typeof value === 'string')
  return [{ accepted_values: { ...facts(quality, expectation, nameOf), arguments: { values: [...values], quote } } }]
}

function isOfDbt({ only }: Quality, expectation: Named): expectation is Named & { kind: 'notNull' | 'acceptedValues' } {
  if (only !== null) return false
  return expectation.kind === 'notNull' || (expectation.kind === 'acceptedValues' && expectation.nullable === true)
}

function tableTest(quality: Quality, expectation: Named, schema: string, nameOf: TestNames): readonly unknown[] {
  if (isOfDbt(quality, expectation)) return []
  const said = facts(quality, expectation, nameOf)
  if (expectation.kind === 'unique') {
    const columns = expectation.columns.map((column) => quoteIdentifier(column))
    const only = quality.only === null ? {} : { only: onlyText(quality) }
    return [{ millrace_unique: { ...said, arguments: { columns, ...only } } }]
  }
  if (!isRowExpectation(expectation) || expectation.kind === 'increasing') return []
  const condition = conditionText(quality, expectation, schema)
  return [{ millrace_holds: { ...said, arguments: { condition } } }]
}

function facts(quality: Quality, expectation: Named, nameOf: TestNames): object {
  const { severity = 'block', allow } = expectation
  const config = {
    severity: severity === 'block' ? 'error' : 'warn',
    // A share of the rows is not known to dbt, which counts failures alone.
    ...(allow?.rows === undefined || allow.share !== undefined
      ? {}
      : { error_if: `>${allow.rows}`, warn_if: `>${allow.rows}` }),
  }
  return { name: nameOf(quality, expectation), config }
}

type TestNames = (quality: Quality, expectation: Named) => string

/** A name for each test that no other has: where signs are all that tells two expectations apart, part of a hash of each stands behind it. */
function testNames(qualities: readonly Quality[]): TestNames {
  const fullOf = ({ table }: Quality, { name }: Named) => `${table} ${name}`
  const all = qualities.flatMap((quality) => quality.expectations.map((one) => testName(fullOf(quality, one))))
  const counts = Map.groupBy(all, (name) => name)
  return (quality, expectation) => {
    const full = fullOf(quality, expectation)
    const name = testName(full)
    if (counts.get(name)?.length === 1) return name
    return `${name}_${createHash('sha256').update(full).digest('hex').slice(0, 8)}`
  }
}

/** dbt makes names of views and columns of it. */
function testName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll('<=', 'to')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
}

/** Of a project that builds tables of its own nobody knows what limits their digits have. */
const noNumbers = ['NaN', 'Infinity', '-Infinity'] as const

/** Tables of the same schema have to say so in a project that builds into another. */
class DbtScope extends Scope {
  readonly #schema: string

  constructor(quality: Quality, schema: string) {
    const columns = Object.entries(quality.columns).map(([name, { type = 'text' }]) => {
      const isNumber = /^(numeric|double precision|real)/.test(type)
      return [name, { type, noNumbers: isNumber ? noNumbers : [] }] as const
    })
    super(quality, { columns: new Map(columns), uniqueKeys: [] }, [], 0)
    this.#schema = schema
  }

  override besides(table: string): string {
    return `${quoteIdentifier(this.#schema)}.${quoteIdentifier(table)}`
  }

  override typeOf(column: string): string {
    const type = this.quality.columns[column]?.type
    if (type !== undefined) return comparedType(type)
    throw new ConfigurationError(
      `quality ${this.quality.name}: dbt compares values of ${column} and needs its type; say it in columns: { ${column}: { type: 'numeric' } }`,
    )
  }
}

/** The condition as millrace sends it, its parameters written out. */
function conditionText(quality: Quality, expectation: Named & RowExpectation, schema: string): string {
  const parameters = new SqlParameters()
  const scope = new DbtScope(quality, schema)
  const { sql } = rowCondition(expectation, scope, parameters, '')
  return writtenOut(quality.only === null ? sql : `NOT (${scope.counts(parameters, 'r')}) OR (${sql})`, parameters)
}

function onlyText(quality: Quality): string {
  const parameters = new SqlParameters()
  return writtenOut(new DbtScope(quality, '').counts(parameters, 'r'), parameters)
}

function writtenOut(sql: string, { values }: SqlParameters): string {
  return sql.replace(/\$(\d+)/g, (_, number) => quotedLiteral(values[Number(number) - 1]))
}

const holdsTest = `{% test millrace_holds(model, condition) %}
select r.* from {{ model }} as r where ({{ condition }}) is not true
{% endtest %}
`

const uniqueTest = `{% test millrace_unique(model, columns, only='true') %}
select {{ columns | join(', ') }} from {{ model }} as r where {{ only }} group by {{ columns | join(', ') }} having count(*) > 1
{% endtest %}
`

function modelsOf(qualities: readonly Quality[]): object {
  return {
    version: 2,
    models: qualities.map((quality) => ({
      name: viewOf(quality),
      ...(quality.description === '' ? {} : { description: quality.description }),
      config: { meta: { key: [...keyOf(quality)] } },
      columns: columnsOf(quality),
    })),
  }
}

function viewText(quality: Quality): string {
  const { table } = quality
  const columns = Object.keys(quality.columns)
  const chosen = columns.length === 0 ? '*' : columns.map((column) => `\n  ${quoteIdentifier(column)}`).join(',')
  return `{{ config(materialized='view') }}
select ${chosen}
from {{ source('${source}', '${table}') }}
`
}
