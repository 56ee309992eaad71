import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { columnsOf } from './condition.ts'
import { conditionSql } from './conditionSql.ts'
import type { FoundColumn } from './foundTable.ts'
import type { Quality } from './quality.ts'
import type { QualityWindow } from './qualityWindow.ts'
import type { SqlParameters } from './sqlParameters.ts'

/** Which number a window has, in the rows of a statement. */
export const numberColumn = 'millrace window'

/** What is judged: the rows of a table in windows. */
export class Scope {
  readonly quality: Quality
  readonly columns: ReadonlyMap<string, FoundColumn>
  readonly #uniqueKeys: readonly (readonly string[])[]
  readonly windows: readonly QualityWindow[]
  /** ms UTC: the time of the check. */
  readonly now: number

  constructor(
    quality: Quality,
    { columns, uniqueKeys }: Pick<Scope, 'columns'> & { readonly uniqueKeys: readonly (readonly string[])[] },
    windows: readonly QualityWindow[],
    now: number,
  ) {
    this.quality = quality
    this.columns = columns
    this.#uniqueKeys = uniqueKeys
    this.windows = windows
    this.now = now
  }

  get table(): string {
    return quoteIdentifier(this.quality.table)
  }

  /** A table beside it, as SQL. */
  besides(table: string): string {
    return quoteIdentifier(table)
  }

  get time(): string {
    return quoteIdentifier(this.quality.time)
  }

  /** The type in which values are compared with those of a column. */
  typeOf(column: string): string {
    const found = this.columns.get(column)
    if (found === undefined) throw new Error(`bug: column ${column} was not looked up`)
    return comparedType(found.type)
  }

  /** Whether the table itself sees to it that no two rows have the same in these columns, where none of them is null. */
  isUnique(columns: readonly string[]): boolean {
    return this.#uniqueKeys.some((key) => key.every((column) => columns.includes(column)))
  }

  /** The windows as rows: n, by0…, "from", "to" and their key as JSON. */
  windowRows(parameters: SqlParameters, numbers: readonly number[] = this.windows.map((_, n) => n)): string {
    const { by, time } = this.quality
    const chosen = numbers.map((n) => this.windows[n] as QualityWindow)
    const list = (values: readonly string[]) => `${parameters.add(values)}::text[]`
    const lists = [
      list(numbers.map(String)),
      list(chosen.map(({ from }) => new Date(from).toISOString())),
      list(chosen.map(({ to }) => new Date(to).toISOString())),
      list(chosen.map((window) => keyText(this.quality, window))),
      ...by.map((column) => list(chosen.map(({ key }) => String(key[column])))),
    ]
    const typed = by.map((column, i) => `given.by${i}::${this.typeOf(column)} AS by${i}`)
    return `SELECT ${[
      'given.n::integer AS n',
      `given."from"::timestamptz::${this.typeOf(time)} AS "from"`,
      `given."to"::timestamptz::${this.typeOf(time)} AS "to"`,
      'given."from"::timestamptz AS window_from',
      'given."to"::timestamptz AS window_to',
      'given.key::jsonb AS key',
      ...typed,
    ].join(
      ', ',
    )} FROM unnest(${lists.join(', ')}) AS given(n, "from", "to", key${by.map((_, i) => `, by${i}`).join('')})`
  }

  /** That a row of `alias` is of the key of a window, and counts. */
  isOfKey(parameters: SqlParameters, alias: string): string {
    const { by, only } = this.quality
    const parts = by.map((column, i) => `${alias}.${quoteIdentifier(column)} = win.by${i}`)
    if (only !== null) parts.push(this.counts(parameters, alias))
    return parts.length === 0 ? 'true' : parts.join(' AND ')
  }

  /** That a row of `alias` is one of those that are looked at. */
  counts(parameters: SqlParameters, alias: string): string {
    const { only } = this.quality
    return only === null ? 'true' : `(${conditionSql(only, parameters, alias)}) IS NOT FALSE`
  }

  /** That a row of `alias` is in a window. */
  isInWindow(parameters: SqlParameters, alias: string): string {
    return `${this.isOfKey(parameters, alias)} AND ${alias}.${this.time} >= win."from" AND ${alias}.${this.time} < win."to"`
  }

  /** The rows that are looked at, with the number of their window and what is derived of them, as `r`. */
  lookedAt(
    parameters: SqlParameters,
    derived: readonly { readonly name: string; readonly sql: string }[],
    numbers?: readonly number[],
  ): string {
    const more = derived.map(({ name, sql }) => `, ${sql} AS ${quoteIdentifier(name)}`).join('')
    const windows = this.windowRows(parameters, numbers)
    const rows = this.rowsOf(this.table, this.isInWindow(parameters, 'r'))
    return `win AS (${windows}), looked AS (SELECT win.n AS ${quoteIdentifier(numberColumn)}, r.*${more} FROM win CROSS JOIN LATERAL ${rows} AS r)`
  }

  /** Rows of a table, as `r`, window by window: without the fence the planner may compare each row of a key with each of its windows. */
  rowsOf(table: string, condition: string): string {
    return `(SELECT r.* FROM ${table} r WHERE ${condition} OFFSET 0)`
  }

  /** The columns that every expectation needs. */
  get ownColumns(): readonly string[] {
    const { by, time, only } = this.quality
    return [...by, time, ...(only === null ? [] : columnsOf(only))]
  }
}

/** The key of a window as JSON, its columns in the order of the quality. */
export function keyText({ by }: Quality, { key }: QualityWindow): string {
  return JSON.stringify(Object.fromEntries(by.map((column) => [column, key[column]])))
}

/** Without its length or precision, which would cut or round what a column is compared with. */
export function comparedType(type: string): string {
  const bare = type.replace(/\(.*?\)/, '')
  // Of these a type without a length has the length 1.
  return bare === 'character' ? 'bpchar' : bare === 'bit' ? 'varbit' : bare
}
