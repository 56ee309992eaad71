import { isPromise } from '../../runtime/atOnce.ts'
import { BadRowError } from '../../runtime/badRow.ts'
import type { Column, ColumnType, ColumnValue, RowText, Table, UpsertTable } from '../../runtime/store/table.ts'
import { Withdrawn } from '../../runtime/withdrawn.ts'
import { fitsJsonb } from './jsonbText.ts'
import { numericText } from './numericText.ts'

// PostgreSQL holds no U+0000 in text, and UTF-8 no half of a surrogate pair; both occur in hostile input.
const escapeMark = '\u241B'
const unstorable = /[\0\u241B\p{Surrogate}]/gu

/**
 * Text that PostgreSQL can hold, from any text, so that nothing is lost and different texts stay different: a character that cannot be
 * stored becomes ␛ and its four hex digits, and ␛ itself `␛241B`. Any other text is unchanged.
 */
export function escapeText(text: string): string {
  if (!text.includes('\0') && !text.includes(escapeMark) && text.isWellFormed()) return text
  return text.replace(unstorable, escaped)
}

/** The text that `escapeText` was given. */
export function unescapeText(text: string): string {
  if (!text.includes(escapeMark)) return text
  return text.replace(/\u241B([0-9A-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

// In JSON the same characters may also be spelled as escapes, which jsonb refuses alike. Escaped backslashes and whole
// pairs are matched first, so that they are left as they are.
function escapeJson(json: string): string {
  return escapeText(json).replace(
    /\\\\|\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u(0000|d[89a-f][0-9a-f]{2})/gi,
    (all, _high, _low, single: string | undefined) =>
      single === undefined ? all : `${escapeMark}${single.toUpperCase()}`,
  )
}

function escaped(character: string): string {
  return escapeMark + character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
}

const firstTime = -210_866_803_200_000
const lastTime = 8_640_000_000_000_000

/** The newest whole second of our era, ms UTC, and its text down to the point. */
let knownSecond = Number.NaN
let knownText = ''

/** ms UTC as PostgreSQL reads a timestamptz, exactly. Null for what is no time between 4714 BC and the year 275760. */
export function timestampText(ms: number): string | null {
  const sinceSecond = ms - knownSecond
  // Times of neighbours are of one second.
  if (sinceSecond >= 0 && sinceSecond < 1_000 && Number.isInteger(ms)) return knownText + threeDigits(sinceSecond)
  if (!Number.isInteger(ms) || ms < firstTime || ms > lastTime) return null
  const date = new Date(ms)
  const year = date.getUTCFullYear()
  const isoTail = date.toISOString().slice(-20)
  if (year <= 0) return `${String(1 - year).padStart(4, '0')}${isoTail} BC`
  const text = `${String(year).padStart(4, '0')}${isoTail}`
  knownSecond = Math.floor(ms / 1_000) * 1_000
  knownText = text.slice(0, -4)
  return text
}

/** The end of a time: `007Z`. */
function threeDigits(ms: number): string {
  return `${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`
}

/** The nearest time that can be stored. */
export function clampTime(ms: number): number {
  if (Number.isNaN(ms)) return 0
  return Math.min(lastTime, Math.max(firstTime, Math.floor(ms)))
}

const maxInt32 = 2_147_483_647
const maxInt64 = 9_223_372_036_854_775_807n

const toText: Readonly<Record<ColumnType, (value: ColumnValue) => string | null>> = {
  text: (value) => (typeof value === 'string' ? escapeText(value) : null),
  integer: (value) =>
    typeof value === 'number' && Number.isInteger(value) && value <= maxInt32 && value >= -maxInt32 - 1
      ? String(value)
      : null,
  bigint: (value) => {
    if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
    return typeof value === 'bigint' && value <= maxInt64 && value >= -maxInt64 - 1n ? String(value) : null
  },
  numeric: (value) => {
    const isExact = typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value)
    return isExact ? numericText(String(value)) : null
  },
  // The shortest text that gives the same double back; of -0 it would be 0.
  'double precision': (value) => (typeof value === 'number' ? (Object.is(value, -0) ? '-0' : String(value)) : null),
  boolean: (value) => (typeof value === 'boolean' ? (value ? 't' : 'f') : null),
  timestamptz: (value) => (typeof value === 'number' ? timestampText(value) : null),
  jsonb: (value) => (typeof value === 'string' && isJson(value) && fitsJsonb(value) ? escapeJson(value) : null),
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * The column's value of the row as text that PostgreSQL reads back exactly, or null for null. Throws `BadRowError` with table, column
 * and value when the value is not of the column's type, or when there is none because `of` throws.
 */
export function columnText<Row>(table: string, column: Column<Row>, row: Row): string | null {
  const value = columnValue(table, column, row)
  return value === null ? null : valueText(table, column, row, value)
}

/** The same of a value that the column has of the row. */
export function valueText<Row>(
  table: string,
  column: Column<Row>,
  row: Row,
  value: Exclude<ColumnValue, null>,
): string {
  const text = toText[column.type](value)
  if (text === null) {
    throw new BadRowError(
      `table ${table}, column ${column.name}: ${shownValue(value)} is no ${column.type}; see \`of\` of the column${hintOf(column, value, row)}`,
    )
  }
  return text
}

function shownValue(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (isPromise(value)) return 'a promise'
  // What is in it may be anything, also what JSON cannot say.
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object'
  return JSON.stringify(value)?.slice(0, 100) ?? `a value of type ${typeof value}`
}

/** What was probably meant. TypeScript would not compile an object as a value; in JavaScript, and behind a cast, it comes about. */
function hintOf<Row>({ type }: Column<Row>, value: unknown, row: Row): string {
  if (Array.isArray(row)) return ' (the row is an array: batchFlush makes batches of rows, mergeAll() single rows)'
  if (type !== 'jsonb') return ''
  return typeof value === 'string'
    ? ' (a jsonb column takes JSON as text; this text is no JSON, or nested deeper, or with larger numbers, than PostgreSQL takes)'
    : ' (a jsonb column takes JSON as text: JSON.stringify(value))'
}

/** What the column says of the row. Throws `BadRowError` where it throws. */
export function columnValue<Row>(table: string, column: Column<Row>, row: Row): ColumnValue {
  try {
    return column.of(row)
  } catch (error) {
    throw throwingColumn(table, column, error)
  }
}

/** A column that has thrown when it was asked. */
export function throwingColumn<Row>(table: string, { name }: Column<Row>, cause: unknown): BadRowError {
  return new BadRowError(`table ${table}, column ${name}: ${String(cause)}`, { cause })
}

/**
 * The row as it is written; of one that is taken back its key and its revision, and null for the rest, which nobody looks at. Throws `BadRowError` as `columnText` does, for a NULL in the natural
 * key or the revision, and where a row of a table is taken back that rows are only added to.
 */
export function rowText<Row>(table: Table<Row>, row: Row | Withdrawn<Row>): RowText {
  if (row instanceof Withdrawn) return withdrawnText(table, row)
  const texts = table.columns.map((column) => columnText(table.name, column, row))
  return table.mode === 'append' ? texts : identified(table, texts)
}

function withdrawnText<Row>(table: Table<Row>, { row }: Withdrawn<Row>): RowText {
  if (table.mode === 'append') {
    throw new BadRowError(
      `table ${table.name}: rows are only added to it, so none can be taken back: give it a key and a revision, or leave out what was withdrawn`,
    )
  }
  const isIdentity = ({ name }: Column<Row>) => name === table.revision || table.key.includes(name)
  return identified(
    table,
    table.columns.map((column) => (isIdentity(column) ? columnText(table.name, column, row) : null)),
  )
}

function identified(table: UpsertTable<never>, texts: RowText): RowText {
  let length = 0
  for (const [i, { name }] of table.columns.entries()) {
    const text = texts[i] as string | null
    if (text !== null) length += text.length
    else if (name === table.revision || table.key.includes(name))
      throw new BadRowError(`table ${table.name}, column ${name}: a natural key and a revision cannot be NULL`)
  }
  // A character takes three bytes at most.
  if (3 * length > mostKeyBytes) refuseLargeKey(table, texts)
  return texts
}

/** An index of PostgreSQL takes a third of a page, less what goes with each entry. */
const mostKeyBytes = 2_600

function refuseLargeKey(table: UpsertTable<never>, texts: RowText): void {
  const parts = table.columns.map(({ name }, i) => (table.key.includes(name) ? (texts[i] as string) : ''))
  const bytes = Buffer.byteLength(parts.join(''))
  if (bytes <= mostKeyBytes) return
  throw new BadRowError(
    `table ${table.name}: the natural key (${table.key.join(', ')}) takes ${bytes} bytes, and an index of PostgreSQL ${mostKeyBytes}: leave such values out above, or have a hash of them as the key`,
  )
}
