import { ConfigurationError } from '../runtime/errors.ts'
import { field } from '../runtime/field.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { AppendTable, Column, ColumnType, ColumnValue, Table, UpsertTable } from '../runtime/store/table.ts'
import { checkDescriptor } from './postgres/tableDescriptor.ts'

/** What a row has in a column of each type, where the column does not say otherwise. */
interface FieldOf {
  /** Any text. */
  readonly text: string
  /** A whole number from -2147483648 to 2147483647. */
  readonly integer: number
  /** A whole number from -2^63 to 2^63 - 1. */
  readonly bigint: number | bigint
  /** Digits, with a point or without: a float has no exact text. */
  readonly numeric: string | bigint
  /** Any number from -1.8e308 to 1.8e308, and NaN and the infinities: what is measured or reckoned, not money. */
  readonly 'double precision': number
  /** True or false. */
  readonly boolean: boolean
  /** A time, ms UTC. */
  readonly timestamptz: number
  /** JSON as text. */
  readonly jsonb: string
}

/** A column whose field is something else than what the column holds. */
export interface ConvertedColumn {
  readonly type: ColumnType
  /** Makes the column's value of the row's field: the same for the same field, since a replay writes it again. Its parameter says what type the field has. */
  readonly from: (field: never) => ColumnValue
}

/** A column of `table`: its type, `'text?'` where it may be null, or a type and how the field becomes it. */
export type ColumnSpec = ColumnType | `${ColumnType}?` | ConvertedColumn

/** The columns of `table` by name, in the order in which they are written. */
export type ColumnSpecs = Readonly<Record<string, ColumnSpec>>

/** The type of the rows that have such columns: a field for each, under the column's name. */
export type RowWith<C extends ColumnSpecs> = {
  readonly [N in keyof C]: C[N] extends { readonly from: (field: infer F) => ColumnValue }
    ? F
    : C[N] extends ColumnType
      ? FieldOf[C[N]]
      : C[N] extends `${infer T extends ColumnType}?`
        ? FieldOf[T] | null
        : never
}

/** The type of the rows of a table. */
export type TableRow<T extends Table<never>> = T extends Table<infer Row> ? Row : never

/** What `table` makes an append table of. */
export interface AppendTableOptions<C extends ColumnSpecs> {
  /** At least one. */
  readonly columns: C
}

/** What `table` makes an upsert table of. */
export interface UpsertTableOptions<C extends ColumnSpecs> extends AppendTableOptions<C> {
  /** The columns that tell one row from another; none of them may be null. */
  readonly key: readonly ({ [N in keyof C]: C[N] extends `${string}?` ? never : N }[keyof C] & string)[]
  /** The integer column that decides which of two rows with the same key is newer. */
  readonly revision: { [N in keyof C]: C[N] extends 'integer' ? N : never }[keyof C] & string
  /** True for a table that several pipelines write, each keys of its own; without it, a start on a table with rows of another pipeline is refused. */
  readonly isShared?: boolean
}

/** What the compiler says to a key without a revision. */
type NoKeyAlone = 'a key needs a revision beside it: the integer column that tells which of two rows is newer'

/**
 * Describes a table once: the type of its rows follows from its columns, and the table is made from it where it is missing.
 *
 * A row has a field for each column, under the column's name. With a `key` and a `revision` rows replace older ones of the same key; without, rows are only added.
 * @param name unquoted, without a schema
 * @throws ConfigurationError on a table that is not well formed
 */
export function table<const C extends ColumnSpecs>(
  name: string,
  options: UpsertTableOptions<C>,
): UpsertTable<RowWith<C>>
export function table<const C extends ColumnSpecs>(
  name: string,
  options: AppendTableOptions<C> & { readonly key?: NoKeyAlone; readonly revision?: never; readonly isShared?: never },
): AppendTable<RowWith<C>>
export function table(
  name: string,
  options: AppendTableOptions<ColumnSpecs> & {
    key?: readonly string[] | NoKeyAlone
    revision?: string
    isShared?: boolean
  },
): Table<never> {
  checkArgument(
    'table',
    'its first argument, the name,',
    name,
    needed.such('text', (given) => typeof given === 'string'),
  )
  checkOptions(`table ${name}`, options, rules)
  const { columns, key, revision, isShared = false } = options
  if ((key === undefined) !== (revision === undefined) || typeof key === 'string') {
    throw new ConfigurationError(
      `table ${name}: key and revision belong together; give both, or neither for rows that are only added`,
    )
  }
  const shape = { name, columns: Object.entries(columns).map(([column, spec]) => columnOf(name, column, spec)) }
  const described: Table<never> =
    key === undefined || revision === undefined
      ? { mode: 'append', ...shape }
      : { mode: 'upsert', ...shape, key, revision, ...(isShared ? { isShared } : {}) }
  checkDescriptor(described)
  return described
}

const rules: OptionRules<Partial<UpsertTableOptions<ColumnSpecs>> & AppendTableOptions<ColumnSpecs>> = {
  columns: needed.record,
  key: optional.list,
  revision: optional.text,
  isShared: optional.flag,
}
const convertedRules: OptionRules<ConvertedColumn> = { type: needed.text, from: needed.callback }

function columnOf(table: string, name: string, spec: ColumnSpec): Column<never> {
  const read: (row: Readonly<Record<string, unknown>>) => unknown = field(name)
  if (typeof spec !== 'string') {
    checkOptions(`table ${table}: column ${name}`, spec, convertedRules)
    const { type, from } = spec as { type: ColumnType; from: (field: unknown) => ColumnValue }
    return { name, type, of: (row) => from(read(row)) }
  }
  return { name, type: spec.replace('?', '') as ColumnType, of: read as (row: never) => ColumnValue }
}
