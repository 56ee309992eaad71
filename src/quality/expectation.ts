import type { Duration } from '../runtime/duration.ts'
import type { Condition } from './condition.ts'

/** What a failure does: `warn` tells of it, `block` keeps the window from what is made of it. */
export type Severity = 'warn' | 'block'

/** How many failing rows of a window are let pass; none unless told. Where both are given, both count. */
export interface Allowance {
  /** So many rows at most. */
  readonly rows?: number
  /** At most this part of the rows looked at, from 0 to 1. */
  readonly share?: number
}

/** What every expectation may say besides. */
export interface AnyExpectation {
  /** Tells its results apart from those of others: unique in a quality. Made of the expectation where it is left out, such as `open is not null`. */
  readonly name?: string
  /** `block` unless told otherwise. */
  readonly severity?: Severity
  /** How much may fail without consequence. */
  readonly allow?: Allowance
  /** For people, in the contract and the report. */
  readonly description?: string
}

/** For expectations of one value each. */
export interface OfValues extends AnyExpectation {
  /** True lets a null pass; without it a null fails every expectation of its column. */
  readonly nullable?: boolean
}

/** No null in the column. */
export interface NotNull extends AnyExpectation {
  readonly kind: 'notNull'
  /** Whose values are judged. */
  readonly column: string
}

/** No two rows of the table have the same values in these columns. */
export interface Unique extends OfValues {
  readonly kind: 'unique'
  /** At least one. Where they hold the columns of the quality's `by` and its time, only rows of the window are compared; else the whole table is, which wants an index. */
  readonly columns: readonly string[]
}

/** The column has one of these values. */
export interface AcceptedValues extends OfValues {
  readonly kind: 'acceptedValues'
  /** Whose values are judged. */
  readonly column: string
  /** At least one. */
  readonly values: readonly (string | number | boolean)[]
}

/** The value lies between two bounds; at least one is given. Decimals as text are exact, times are ISO 8601 text. NaN and infinity lie nowhere. */
export interface Range extends OfValues {
  readonly kind: 'range'
  /** Whose values are judged. */
  readonly column: string
  /** The value may be this or more. */
  readonly min?: string | number
  /** The value may be this or less. */
  readonly max?: string | number
  /** The value must be more than this. */
  readonly above?: string | number
  /** The value must be less than this. */
  readonly below?: string | number
}

/** Each column is at most the next one: `['low', 'open', 'high']` is low ≤ open ≤ high. */
export interface Order extends OfValues {
  readonly kind: 'order'
  /** At least two. */
  readonly columns: readonly string[]
  /** True where equal values fail as well. */
  readonly strictly?: boolean
}

/** The text of the column matches a regular expression of PostgreSQL, somewhere in it unless anchored. */
export interface Matches extends OfValues {
  readonly kind: 'matches'
  /** Whose values are judged. */
  readonly column: string
  /** Such as `^[A-Z0-9]+$`. */
  readonly pattern: string
}

/** A condition of one's own, over columns of the row. */
export interface Holds extends AnyExpectation {
  readonly kind: 'holds'
  /** What must be true; null counts as not true. */
  readonly that: Condition
}

/** The values of the columns are there in another table. */
export interface References extends OfValues {
  readonly kind: 'references'
  /** At least one. */
  readonly columns: readonly string[]
  /** Unquoted, in the same schema. */
  readonly table: string
  /** In the other table, in the same order; the same names where they are left out. */
  readonly otherColumns?: readonly string[]
}

/** The column grows with time, from row to row of the window. */
export interface Increasing extends OfValues {
  readonly kind: 'increasing'
  /** Whose values are judged. */
  readonly column: string
  /** True where equal neighbours fail as well. */
  readonly strictly?: boolean
}

/** A row for each step of the window that is over. A step that has none is what is put into quarantine. */
export interface Complete extends AnyExpectation {
  readonly kind: 'complete'
  /** Length of a step, ms or text such as `'1m'`; counted from the start of the window. */
  readonly every: Duration
  /** A step counts as over so long after its end; 0 unless told. */
  readonly lateBy?: Duration
}

/** The newest row of the window's key in the whole table is not older than this, by the time of the check. */
export interface Fresh extends AnyExpectation {
  readonly kind: 'fresh'
  /** Its greatest age, ms or text such as `'5m'`. */
  readonly within: Duration
}

/** So many rows in a window. */
export interface RowCount extends AnyExpectation {
  readonly kind: 'rowCount'
  /** Rows at least; 0 unless told. */
  readonly min?: number
  /** Rows at most; without a limit unless told. */
  readonly max?: number
}

/** What is calculated of a column over the window lies between two bounds. Nulls are left out, and without a value it is an error. */
export interface Aggregate extends AnyExpectation {
  readonly kind: 'aggregate'
  /** `distinct` counts different values, `deviation` is that of a sample. */
  readonly of: 'sum' | 'average' | 'least' | 'greatest' | 'distinct' | 'deviation'
  /** Whose values are judged. */
  readonly column: string
  /** It is this or more, in the unit of the column. */
  readonly min?: string | number
  /** It is this or less, in the unit of the column. */
  readonly max?: string | number
}

/** A row has the values that another table has for it. */
export interface Equals extends AnyExpectation {
  readonly kind: 'equals'
  /** Unquoted, in the same schema. */
  readonly table: string
  /** By which rows are found in both; the columns of `by` and the time must be among them. */
  readonly on: readonly string[]
  /** What must be equal; or not further apart than `within`, a decimal. */
  readonly columns: readonly (string | { readonly column: string; readonly within: string })[]
  /** Which rows of the other table count; all unless told. */
  readonly otherOnly?: Condition
  /** `fail` where a row of the other table that is missing here is a failure, `ignore` unless told. */
  readonly missing?: 'fail' | 'ignore'
  /** `fail` where a row that the other table does not have is a failure, `ignore` unless told. */
  readonly extra?: 'fail' | 'ignore'
  /** `error` where the other table must have rows for the window; `none` unless told, which the result then says. */
  readonly nothingToCompare?: 'error' | 'none'
}

/** Columns are there, with their types as PostgreSQL writes them, such as `timestamp with time zone`. */
export interface Shape extends AnyExpectation {
  readonly kind: 'shape'
  /** The type of each, by its name. */
  readonly columns: Readonly<Record<string, string>>
  /** True where there may be no others. */
  readonly exactly?: boolean
}

/** What is expected of the rows of a table in a window, as data. */
export type Expectation =
  | NotNull
  | Unique
  | AcceptedValues
  | Range
  | Order
  | Matches
  | Holds
  | References
  | Increasing
  | Complete
  | Fresh
  | RowCount
  | Aggregate
  | Equals
  | Shape
