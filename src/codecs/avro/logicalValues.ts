import { AvroMisfit } from './avroCursor.ts'
import type { FixedType, LogicalType, PrimitiveType } from './avroType.ts'
import { decimalText, digitsOf, maxDecimalBytes, unscaledOf } from './decimalText.ts'

/** What a long becomes: a number, where one beyond 2^53 is rejected, or always a bigint. */
export type LongValues = 'number' | 'bigint'

/** What a long of that logical type is to the pipeline. Throws `AvroMisfit` where a number cannot be exact. */
export function longValue(logical: LogicalType | null, longs: LongValues): (long: number | bigint) => number | bigint {
  if (logical === null) return longs === 'bigint' ? BigInt : exactNumber
  return logical.name.endsWith('timestamp-nanos') ? BigInt : exactNumber
}

/** The number itself, or a misfit where it is a bigint because it is beyond 2^53. */
export function exactNumber(long: number | bigint): number {
  if (typeof long === 'number') return long
  throw new AvroMisfit(`a long that no number holds exactly; read it with longs: 'bigint'`, 'inexact-long')
}

/** What bytes of that logical type are to the pipeline; null where they are bytes to it. */
export function bytesValue(logical: LogicalType | null): ((bytes: Buffer) => string) | null {
  if (logical?.name === 'uuid') return uuidText
  if (logical?.name !== 'decimal') return null
  const { precision, scale } = logical
  return (bytes) => {
    if (bytes.length > maxDecimalBytes) throw new AvroMisfit(`a decimal of ${bytes.length} bytes`)
    const unscaled = unscaledOf(bytes)
    if (digitsOf(unscaled) > precision) {
      throw new AvroMisfit(`a decimal of ${digitsOf(unscaled)} digits, where the schema has room for ${precision}`)
    }
    return decimalText(unscaled, scale)
  }
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Whether the values of one are those of the other. What the reader does not call anything is read as it is written. */
export function isSameMeaning(writer: PrimitiveType | FixedType, reader: PrimitiveType | FixedType): boolean {
  const [from, to] = [writer.logical, reader.logical]
  if (from === null || to === null) return true
  if (from.name !== 'decimal' || to.name !== 'decimal') return from.name === to.name
  return from.scale === to.scale && from.precision <= to.precision
}
