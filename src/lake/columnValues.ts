import { bytesOfUnscaled, unscaledOfText } from '../codecs/avro/decimalText.ts'
import { BadRowError } from '../runtime/badRow.ts'
import { decimalOf, fullName, type LakeColumn, type LakeRow, type LakeTable } from './lakeTable.ts'

/** A column of some rows, as Parquet takes it, and what readers may skip a file by. */
export interface ColumnValues {
  readonly values: readonly (string | number | bigint | boolean | null)[]
  readonly nullCount: number
  /** The least and the greatest value, as Iceberg writes them in one piece; null where there are none, or none that can be told. */
  readonly bounds: { readonly lower: Buffer; readonly upper: Buffer } | null
}

type Scalar = string | number | bigint | boolean

/** How values of a type become part of a file. */
interface Encoding {
  /** Undefined for what is none. */
  readonly accept: (value: unknown) => Scalar | undefined
  readonly compare: ((a: never, b: never) => number) | null
  /** @see "https://iceberg.apache.org/spec/#binary-single-value-serialization" */
  readonly single: (value: never) => Buffer
}

const maxInt32 = 2_147_483_647
const maxInt64 = 2n ** 63n - 1n
const lastMs = 8_640_000_000_000_000
/** Longer texts are no bounds: metadata would grow with the rows. */
const longestBound = 128

/**
 * The column of the rows, checked.
 * @throws BadRowError with table, column and value where a row has something else in it
 */
export function columnValues(table: LakeTable, column: LakeColumn, rows: readonly LakeRow[]): ColumnValues {
  const encoding = encodingOf(column)
  const values: ColumnValues['values'][number][] = []
  let nullCount = 0
  let lower: Scalar | undefined
  let upper: Scalar | undefined
  let isBounded = encoding.compare !== null
  const compare = encoding.compare as ((a: Scalar, b: Scalar) => number) | null
  for (const row of rows) {
    const given = row[column.name] ?? null
    if (given === null) {
      if (!column.isOptional) throw badValue(table, column, given)
      nullCount += 1
      values.push(null)
      continue
    }
    const value = encoding.accept(given)
    if (value === undefined) throw badValue(table, column, given)
    values.push(value)
    if (compare === null || !isBounded) continue
    if (Number.isNaN(value)) isBounded = false
    if (lower === undefined || compare(value, lower) < 0) lower = value
    if (upper === undefined || compare(value, upper) > 0) upper = value
  }
  if (!isBounded || lower === undefined || upper === undefined) return { values, nullCount, bounds: null }
  const bounds = { lower: encoding.single(lower as never), upper: encoding.single(upper as never) }
  const isShort = bounds.lower.length <= longestBound && bounds.upper.length <= longestBound
  return { values, nullCount, bounds: isShort ? bounds : null }
}

function badValue(table: LakeTable, { name, type }: LakeColumn, value: unknown): BadRowError {
  const shown = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value)?.slice(0, 100) ?? typeof value)
  return new BadRowError(`lake table ${fullName(table)}, column ${name}: ${shown} is no ${type}`)
}

const simple: Readonly<Record<string, Encoding>> = {
  string: {
    accept: (value) => (typeof value === 'string' && value.isWellFormed() ? value : undefined),
    compare: compareUtf8,
    single: (value: string) => Buffer.from(value),
  },
  boolean: {
    accept: (value) => (typeof value === 'boolean' ? value : undefined),
    compare: null,
    single: (value: boolean) => Buffer.from([value ? 1 : 0]),
  },
  int: {
    accept: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value <= maxInt32 && value >= -maxInt32 - 1
        ? value
        : undefined,
    compare: (a: number, b: number) => a - b,
    single: (value: number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32LE(value)
      return bytes
    },
  },
  long: {
    accept: (value) => {
      if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
      return typeof value === 'bigint' && value <= maxInt64 && value >= -maxInt64 - 1n ? value : undefined
    },
    compare: compareBigints,
    single: int64,
  },
  double: {
    accept: (value) => (typeof value === 'number' ? value : undefined),
    compare: (a: number, b: number) => a - b,
    single: (value: number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(value)
      return bytes
    },
  },
  timestamptz: {
    // Microseconds are what Iceberg has.
    accept: (value) =>
      typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= lastMs
        ? BigInt(value) * 1_000n
        : undefined,
    compare: compareBigints,
    single: int64,
  },
}

function encodingOf({ type }: LakeColumn): Encoding {
  const decimal = decimalOf(type)
  if (decimal === null) return simple[type] as Encoding
  const { precision, scale } = decimal
  return {
    accept: (value) => (typeof value === 'string' ? unscaledOfText(value, precision, scale) : undefined),
    compare: compareBigints,
    single: (unscaled: bigint) => bytesOfUnscaled(unscaled) as Buffer,
  }
}

function compareBigints(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The order of the bytes in UTF-8, which is not that of UTF-16 beyond U+D7FF. */
function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(value)
  return bytes
}
