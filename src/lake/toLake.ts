import type { Observable } from 'rxjs'
import type { Batch } from '../runtime/batch.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { RowsOutlet } from '../runtime/pipeline/outlet.ts'
import type { Column, ColumnType, Table } from '../runtime/store/table.ts'
import type { Withdrawn } from '../runtime/withdrawn.ts'
import { toPostgres } from '../sinks/toPostgres.ts'
import { decimalOf, fullName, type LakeTable, type LakeType, lakeTable } from './lakeTable.ts'

/** How the lake has a table. */
export interface ToLakeOptions {
  /** With its namespace, such as `shop.orders`. */
  readonly name: string
  /** The `timestamptz` column by whose day (UTC) the files are cut: a day is what a change rewrites. Without, each change rewrites the whole table. */
  readonly day?: string
  /** For every `numeric` column how many digits it has, and how many of them behind the point: `{ price: 'decimal(18,8)' }`. A row with more of them is set aside as `bad-row`. */
  readonly decimals?: Readonly<Record<string, `decimal(${number},${number})`>>
}

const rules: OptionRules<ToLakeOptions> = { name: needed.text, day: optional.text, decimals: optional.record }

const types: Readonly<Record<Exclude<ColumnType, 'numeric'>, LakeType>> = {
  text: 'string',
  integer: 'int',
  bigint: 'long',
  'double precision': 'double',
  boolean: 'boolean',
  timestamptz: 'timestamptz',
  jsonb: 'string',
}

/**
 * Ends a stream of a pipeline in a table, as `toPostgres` does, which the lake has as well: each pass (`millrace run batch`) writes the days in which rows have changed, corrections and rows that were
 * taken back included, and commits them in its transaction. So the lake has what PostgreSQL had at a pass.
 *
 * Rows count exactly once in both. Kept in memory is what `toPostgres` keeps. Between passes the database notes a row for each checkpoint and day, so have passes run where something is written.
 * @throws ConfigurationError on options out of range, on a numeric column without its digits, and on what `toPostgres` refuses
 */
export function toLake<Row>(
  rows: Observable<Row | Withdrawn<Row> | Batch<Row | Withdrawn<Row>>>,
  table: Table<Row>,
  options: ToLakeOptions,
): RowsOutlet<Row> {
  checkOptions('toLake', options, rules)
  const lake = lakeTableOf(table, options)
  const outlet = toPostgres(rows, { ...table, columns: table.columns.map((column) => fitted(column, lake)) })
  return { ...outlet, lake }
}

/** The table as the lake has it: only what the database holds to be never null is so there. */
function lakeTableOf(table: Table<never>, { name, day, decimals = {} }: ToLakeOptions): LakeTable {
  const key = table.mode === 'upsert' ? table.key : []
  const never = new Set([
    ...key,
    ...(table.mode === 'upsert' ? [table.revision] : []),
    ...(day === undefined ? [] : [day]),
  ])
  const unknown = Object.keys(decimals).find(
    (column) => table.columns.find((one) => one.name === column)?.type !== 'numeric',
  )
  if (unknown !== undefined)
    throw new ConfigurationError(
      `toLake ${name}: decimals names ${unknown}, which is no numeric column of ${table.name}`,
    )
  const columns = table.columns.map((column) => {
    const type = column.type === 'numeric' ? decimals[column.name] : types[column.type]
    if (type === undefined) {
      throw new ConfigurationError(
        `toLake ${name}: column ${column.name} is numeric, which in the lake has a number of digits: give decimals: { ${column.name}: 'decimal(38,8)' }, say.`,
      )
    }
    return [column.name, never.has(column.name) ? type : `${type}?`] as const
  })
  return lakeTable(name, {
    columns: Object.fromEntries(columns) as Readonly<Record<string, LakeType>>,
    key,
    ...(day === undefined ? {} : { day }),
  })
}

/** A row that the lake cannot hold is set aside before it is in either. */
function fitted<Row>(column: Column<Row>, lake: LakeTable): Column<Row> {
  const type = lake.columns.find(({ name }) => name === column.name)?.type
  const exact = type === undefined ? null : decimalOf(type)
  const isDay = column.name === lake.day
  if (exact === null && !isDay) return column
  return {
    ...column,
    of: (row) => {
      const value = column.of(row)
      if (isDay && value === null) throw new RangeError(`null, and ${fullName(lake)} is cut by its day`)
      if (exact !== null && value !== null && !fits(String(value), exact))
        throw new RangeError(`${value} does not fit decimal(${exact.precision},${exact.scale}) of ${fullName(lake)}`)
      return value
    },
  }
}

function fits(text: string, { precision, scale }: { readonly precision: number; readonly scale: number }): boolean {
  const [, whole = '', places = ''] = /^[+-]?0*(\d*)(?:\.(\d*?)0*)?$/.exec(text) ?? [undefined, 'x'.repeat(100)]
  return places.length <= scale && whole.length <= precision - scale
}
