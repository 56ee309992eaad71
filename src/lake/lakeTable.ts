import { ConfigurationError } from '../runtime/errors.ts'

/** The types that a column of a lake table may have: those of Iceberg that a row can be exact in. */
export type LakeType = 'string' | 'boolean' | 'int' | 'long' | 'double' | 'timestamptz' | `decimal(${number},${number})`

/** What a row has in a column: decimals as exact text, longs as numbers or bigints, times as ms UTC. */
export type LakeValue = string | number | bigint | boolean | null

/** A row of a lake table, by the names of its columns. */
export type LakeRow = Readonly<Record<string, LakeValue>>

/** One column of a lake table. */
export interface LakeColumn {
  /** In small letters, digits and _. */
  readonly name: string
  readonly type: LakeType
  /** True where a row may have null in it. */
  readonly isOptional: boolean
}

/** A table of the lake, as a program describes it. */
export interface LakeTable {
  /** The part of the lake that it is in, such as `market`. */
  readonly namespace: string
  /** Without the namespace. */
  readonly name: string
  /** In the order of their field ids. */
  readonly columns: readonly LakeColumn[]
  /** The columns that tell one row from another. They are told to readers; nothing is refused by them. */
  readonly key: readonly string[]
  /** The time column whose day (UTC) decides in which files a row is; null for a table that is not cut. */
  readonly day: string | null
}

/** What `lakeTable` makes a table of. */
export interface LakeTableOptions {
  /** Types by name, `'string?'` where a row may have null, in the order of the columns. Later versions may add optional ones at the end, and nothing else. */
  readonly columns: Readonly<Record<string, LakeType | `${LakeType}?`>>
  /** The columns that tell one row from another; none if left out. */
  readonly key?: readonly string[]
  /** The `timestamptz` column by whose day (UTC) the files are cut; not cut if left out. */
  readonly day?: string
}

const simpleName = /^[a-z_][a-z0-9_]{0,62}$/
const decimal = /^decimal\((\d{1,2}),(\d{1,2})\)$/
const simpleTypes: ReadonlySet<string> = new Set(['string', 'boolean', 'int', 'long', 'double', 'timestamptz'])

/**
 * Describes a table of the lake.
 * @param name with its namespace, such as `market.silver_klines_1m`
 * @throws ConfigurationError on a table that is not well formed
 */
export function lakeTable(name: string, options: LakeTableOptions): LakeTable {
  const [namespace = '', table = '', ...more] = name.split('.')
  if (!simpleName.test(namespace) || !simpleName.test(table) || more.length > 0) {
    throw new ConfigurationError(
      `lake table '${name}': its name is a namespace and a table, such as market.trades, in small letters, digits and _`,
    )
  }
  const columns = Object.entries(options.columns).map(([column, spec]) => columnOf(name, column, spec))
  const { key = [], day = null } = options
  if (columns.length === 0) throw new ConfigurationError(`lake table ${name}: it has no columns`)
  for (const one of key) {
    const column = columns.find((known) => known.name === one)
    if (column === undefined) throw new ConfigurationError(`lake table ${name}: ${one} is in its key, but no column`)
    if (column.isOptional || column.type === 'double') {
      throw new ConfigurationError(
        `lake table ${name}: ${one} is in its key, so it can be neither optional nor a double`,
      )
    }
  }
  if (day !== null) {
    const column = columns.find((known) => known.name === day)
    if (column?.type !== 'timestamptz' || column.isOptional) {
      throw new ConfigurationError(
        `lake table ${name}: its files are cut by ${day}, which has to be a timestamptz column`,
      )
    }
  }
  return { namespace, name: table, columns, key, day }
}

/** Precision and scale of a decimal; null for another type. */
export function decimalOf(type: LakeType): { readonly precision: number; readonly scale: number } | null {
  const match = decimal.exec(type)
  return match === null ? null : { precision: Number(match[1]), scale: Number(match[2]) }
}

/** `namespace.name`. */
export function fullName({ namespace, name }: Pick<LakeTable, 'namespace' | 'name'>): string {
  return `${namespace}.${name}`
}

function columnOf(table: string, name: string, spec: string): LakeColumn {
  const isOptional = spec.endsWith('?')
  const type = (isOptional ? spec.slice(0, -1) : spec).replaceAll(' ', '') as LakeType
  if (!simpleName.test(name)) {
    throw new ConfigurationError(`lake table ${table}: column '${name}' has to be in small letters, digits and _`)
  }
  const exact = decimalOf(type)
  const isDecimal = exact !== null && exact.precision >= 1 && exact.precision <= 38 && exact.scale <= exact.precision
  if (!isDecimal && !simpleTypes.has(type)) {
    throw new ConfigurationError(
      `lake table ${table}: column ${name} is ${spec}; there are ${[...simpleTypes].join(', ')}, and decimal(p,s) with p up to 38`,
    )
  }
  return { name, type, isOptional }
}
