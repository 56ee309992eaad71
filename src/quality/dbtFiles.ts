import { durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { keyOf, namedColumns } from './contract.ts'
import { quotedLiteral } from './dbtLiteral.ts'
import type { Quality } from './quality.ts'
import { isRowExpectation, type RowExpectation, rowCondition } from './rowConditions.ts'
import { Scope } from './scope.ts'
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
 * @throws ConfigurationError where two qualities are of one table
 */
export function dbtFiles(qualities: readonly Quality[], { schema }: DbtOptions): readonly DbtFile[] {
  const tables = new Set<string>()
  for (const { table } of qualities) {
    if (tables.has(table)) throw new ConfigurationError(`two qualities are of table ${table}; dbt takes one of each`)
    tables.add(table)
  }
  return [
    { path: 'models/millrace/sources.yml', text: note + yamlText(sourcesOf(qualities, schema)) },
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

function sourcesOf(qualities: readonly Quality[], schema: string): object {
  return {
    version: 2,
    sources: [{ name: source, schema, tables: qualities.map(tableOf) }],
  }
}

function tableOf(quality: Quality): object {
  const { table, description, expectations, time } = quality
  const tests = expectations.flatMap((one) => tableTest(quality, one))
  const fresh = expectations.find(({ kind }) => kind === 'fresh')
  const age = fresh?.kind === 'fresh' ? freshness(fresh, time) : {}
  return {
    name: table,
    ...(description === '' ? {} : { description }),
    ...age,
    ...(tests.length === 0 ? {} : { data_tests: tests }),
    columns: columnsOf(quality).map((column) => {
      const ofColumn = expectations.flatMap((one) => columnTest(quality, one, column.name))
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

/** Tests that dbt brings, on the column that they are about. Nulls pass them, so that they are tested for by themselves. */
function columnTest(quality: Quality, expectation: Named, column: string): readonly unknown[] {
  if (expectation.kind === 'notNull' && expectation.column === column)
    return [{ not_null: facts(quality, expectation) }]
  if (expectation.kind === 'acceptedValues' && expectation.column === column && expectation.nullable === true) {
    const { values } = expectation
    const quote = values.every((value) => typeof value === 'string')
    return [{ accepted_values: { ...facts(quality, expectation), arguments: { values: [...values], quote } } }]
  }
  return []
}

function tableTest(quality: Quality, expectation: Named): readonly unknown[] {
  if (expectation.kind === 'notNull') return []
  if (expectation.kind === 'acceptedValues' && expectation.nullable === true) return []
  if (expectation.kind === 'unique') {
    return [{ millrace_unique: { ...facts(quality, expectation), arguments: { columns: [...expectation.columns] } } }]
  }
  if (!isRowExpectation(expectation) || expectation.kind === 'increasing') return []
  return [
    {
      millrace_holds: { ...facts(quality, expectation), arguments: { condition: conditionText(quality, expectation) } },
    },
  ]
}

function facts({ table }: Quality, { name, severity = 'block', allow }: Named): object {
  const config = {
    severity: severity === 'block' ? 'error' : 'warn',
    // A share of the rows is not known to dbt, which counts failures alone.
    ...(allow?.rows === undefined ? {} : { error_if: `>${allow.rows}`, warn_if: `>${allow.rows}` }),
  }
  return { name: testName(`${table} ${name}`), config }
}

/** dbt makes names of views and columns of it. */
function testName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll('<=', 'to')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
}

/** The condition as millrace sends it, its parameters written out. */
function conditionText(quality: Quality, expectation: Named & RowExpectation): string {
  const columns = new Map(
    Object.entries(quality.columns).map(([name, { type = 'text' }]) => [
      name,
      { type, isNumber: /^(numeric|double precision|real)/.test(type) },
    ]),
  )
  const parameters = new SqlParameters()
  const scope = new Scope(quality, columns, [], 0)
  const { sql } = rowCondition(expectation, scope, parameters, '')
  const text = quality.only === null ? sql : `NOT (${scope.counts(parameters, 'r')}) OR (${sql})`
  return text.replace(/\$(\d+)/g, (_, number) => quotedLiteral(parameters.values[Number(number) - 1]))
}

const holdsTest = `{% test millrace_holds(model, condition) %}
select r.* from {{ model }} as r where ({{ condition }}) is not true
{% endtest %}
`

const uniqueTest = `{% test millrace_unique(model, columns) %}
select {{ columns | join(', ') }} from {{ model }} group by {{ columns | join(', ') }} having count(*) > 1
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
