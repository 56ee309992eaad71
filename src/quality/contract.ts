import { durationMs } from '../runtime/duration.ts'
import type { Expectation } from './expectation.ts'
import { expectationText } from './expectationName.ts'
import type { DeclaredColumn, Quality } from './quality.ts'
import { yamlText } from './yamlText.ts'

/** Which contract it is. */
export interface ContractOptions {
  /** Unique among the contracts of its users: letters, digits, `-` and `_`. */
  readonly id: string
  /** For people. */
  readonly name: string
  /** Counts up when users have to change something. */
  readonly version: string
}

type Named = Quality['expectations'][number]
type Facts = Record<string, unknown>

/**
 * The contract of some tables, as YAML of the Open Data Contract Standard 3.1.0: their columns, keys and what is expected of them. What the standard has no metric for stands there as
 * a check of the engine `millrace`, with the expectation as it was declared. The same declarations give the same text.
 */
export function contractText(qualities: readonly Quality[], { id, name, version }: ContractOptions): string {
  const sla = qualities.flatMap((quality) => quality.expectations.flatMap((one) => latencyOf(quality, one)))
  const contract = {
    apiVersion: 'v3.1.0',
    kind: 'DataContract',
    id,
    name,
    version,
    status: 'active',
    schema: qualities.map(tableOf),
    ...(sla.length === 0 ? {} : { slaProperties: sla }),
  }
  return yamlText(contract)
}

function tableOf(quality: Quality): Facts {
  const { name, table, description, columns, expectations } = quality
  const checks = expectations.filter((one) => ownerOf(one) === null).map(checkOf)
  return {
    name,
    physicalName: table,
    logicalType: 'object',
    physicalType: 'table',
    ...(description === '' ? {} : { description }),
    properties: namedColumns(quality).map((column) => propertyOf(quality, column, columns[column] ?? {})),
    ...(checks.length === 0 ? {} : { quality: checks }),
  }
}

/** Those that are declared, and those that are only named by an expectation. */
export function namedColumns({ columns, expectations, by, time }: Quality): readonly string[] {
  const named = expectations.flatMap((one) => ownerOf(one) ?? [])
  return [...new Set([...Object.keys(columns), ...by, time, ...named])]
}

/** The columns by which a row is told: those that are unique together and say whose it is and when. */
export function keyOf({ by, time, expectations }: Quality): readonly string[] {
  const unique = expectations.find(
    (one) => one.kind === 'unique' && [...by, time].every((column) => one.columns.includes(column)),
  )
  return unique?.kind === 'unique' ? unique.columns : []
}

function propertyOf(quality: Quality, column: string, { type, description }: DeclaredColumn): Facts {
  const position = keyOf(quality).indexOf(column)
  const ofColumn = quality.expectations.filter((one) => ownerOf(one) === column)
  return {
    name: column,
    ...(type === undefined ? {} : { logicalType: logicalTypeOf(type), physicalType: type }),
    ...(description === undefined ? {} : { description }),
    ...(ofColumn.some(({ kind }) => kind === 'notNull') ? { required: true } : {}),
    ...(ofColumn.some((one) => one.kind === 'unique' && one.columns.length === 1) ? { unique: true } : {}),
    ...(position === -1 ? {} : { primaryKey: true, primaryKeyPosition: position + 1 }),
    ...(ofColumn.length === 0 ? {} : { quality: ofColumn.map(checkOf) }),
  }
}

/** The one column that an expectation is about; null for one that is about several, or about the table. */
function ownerOf(expectation: Expectation): string | null {
  if ('column' in expectation && expectation.kind !== 'aggregate') return expectation.column
  if (expectation.kind === 'unique' && expectation.columns.length === 1) return expectation.columns[0] ?? null
  return null
}

function logicalTypeOf(type: string): string {
  if (/^(numeric|double precision|real)/.test(type)) return 'number'
  if (/^(bigint|integer|smallint)/.test(type)) return 'integer'
  if (type.startsWith('timestamp')) return 'timestamp'
  if (type === 'date' || type === 'boolean') return type
  if (/^jsonb?$/.test(type)) return 'object'
  return type.endsWith('[]') ? 'array' : 'string'
}

const dimensions: Readonly<Record<Expectation['kind'], string>> = {
  notNull: 'completeness',
  unique: 'uniqueness',
  acceptedValues: 'conformity',
  range: 'accuracy',
  order: 'consistency',
  matches: 'conformity',
  holds: 'consistency',
  references: 'consistency',
  increasing: 'consistency',
  complete: 'coverage',
  fresh: 'timeliness',
  rowCount: 'coverage',
  aggregate: 'accuracy',
  equals: 'accuracy',
  shape: 'conformity',
}

function checkOf(expectation: Named): Facts {
  const { name, severity = 'block', description } = expectation
  return {
    name,
    description: description ?? expectationText(expectation),
    dimension: dimensions[expectation.kind],
    severity: severity === 'block' ? 'error' : 'warning',
    ...(metricOf(expectation) ?? {
      type: 'custom',
      engine: 'millrace',
      implementation: definitionOf(expectation),
    }),
  }
}

/** What other engines know as well; null where the standard has no metric that says it all. */
function metricOf(expectation: Named): Facts | null {
  const { allow } = expectation
  if (allow?.rows !== undefined) return null
  const limit = allow?.share === undefined ? { mustBe: 0 } : { mustBeLessOrEqualTo: allow.share * 100, unit: 'percent' }
  switch (expectation.kind) {
    case 'notNull':
      return { metric: 'nullValues', ...limit }
    case 'unique':
      return expectation.columns.length === 1
        ? { metric: 'duplicateValues', ...limit }
        : { metric: 'duplicateValues', arguments: { properties: [...expectation.columns] }, ...limit }
    case 'acceptedValues':
      return { metric: 'invalidValues', arguments: { validValues: [...expectation.values] }, ...limit }
    case 'matches':
      return { metric: 'invalidValues', arguments: { pattern: expectation.pattern }, ...limit }
    default:
      return null
  }
}

function definitionOf({ name: _, description: __, severity: ___, ...definition }: Named): Facts {
  return definition
}

/** How old data may be is a promise of service too. */
function latencyOf({ name, time }: Quality, expectation: Expectation): readonly Facts[] {
  if (expectation.kind !== 'fresh') return []
  const ms = durationMs(expectation.within, 'within')
  return [{ property: 'latency', value: ms / 60_000, unit: 'm', element: `${name}.${time}` }]
}
