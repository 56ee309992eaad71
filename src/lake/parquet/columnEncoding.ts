import type { GrowingBytes } from '../../runtime/growingBytes.ts'
import type { BinaryRow } from '../../sinks/postgres/binaryRow.ts'
import { NumericBytes } from '../../sinks/postgres/numericBytes.ts'
import { decimalOf, type LakeType, type LakeValue } from '../lakeTable.ts'
import { DecimalLimbs } from './decimalLimbs.ts'

/** The least and the greatest value, in Parquet's plain encoding and as Iceberg writes single values. */
export interface ColumnBounds {
  readonly plain: { readonly lower: Buffer; readonly upper: Buffer }
  /** @see "https://iceberg.apache.org/spec/#binary-single-value-serialization" */
  readonly single: { readonly lower: Buffer; readonly upper: Buffer }
}

/** Puts the values of one column into bytes, in Parquet's plain encoding, and minds the least and the greatest. */
export interface ColumnEncoding {
  /** False for what is no value of the type. */
  put(bytes: GrowingBytes, value: NonNullable<LakeValue>): boolean
  /** The same of the field at hand, which is not null, as PostgreSQL sends what it has for the type. */
  putField(bytes: GrowingBytes, field: BinaryRow): boolean
  /** Ends a page, for types whose values share bytes. */
  endPage(bytes: GrowingBytes): void
  /** Null where there are none, or none that can be told. */
  bounds(): ColumnBounds | null
}

const lastMs = 8_640_000_000_000_000
/** Longer texts are no bounds: metadata would grow with the rows. */
const longestBound = 128
const maxInt32 = 2_147_483_647
/** PostgreSQL counts its microseconds from 2000 on. */
const micros2000 = 946_684_800_000_000

export function encodingOf(type: LakeType): ColumnEncoding {
  const exact = decimalOf(type)
  if (exact !== null) {
    const { precision, scale } = exact
    const numeric = new NumericBytes()
    return new WholeNumbers({
      ...{ precision, scale, isWide: precision > 18, textOf: decimalText },
      readField: (value, { bytes, start }) => value.readNumeric(numeric.load(bytes, start), precision, scale),
    })
  }
  switch (type) {
    case 'long':
      return new WholeNumbers({ precision: 19, scale: 0, isWide: false, textOf: longText, readField: readLong })
    case 'timestamptz':
      // Rows tell ms; microseconds are what Iceberg has.
      return new WholeNumbers({ precision: 19, scale: 0, isWide: false, textOf: microsText, readField: readTime })
    case 'int':
      return new Integers()
    case 'double':
      return new Doubles()
    case 'boolean':
      return new Booleans()
    default:
      return new Texts()
  }
}

function decimalText(value: NonNullable<LakeValue>): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function longText(value: NonNullable<LakeValue>): string | undefined {
  return typeof value === 'bigint' || Number.isSafeInteger(value) ? String(value) : undefined
}

function microsText(value: NonNullable<LakeValue>): string | undefined {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= lastMs ? `${value}000` : undefined
}

function readLong(value: DecimalLimbs, { bytes, start }: BinaryRow): boolean {
  value.readLong(bytes, start)
  return true
}

function readTime(value: DecimalLimbs, { bytes, start }: BinaryRow): boolean {
  const upper = bytes.readInt32BE(start)
  // The infinities, which are the ends of what 64 bits hold.
  if (upper === maxInt32 || upper === -maxInt32 - 1) return false
  value.readLong(bytes, start, micros2000)
  return true
}

interface WholeNumberOptions {
  readonly precision: number
  readonly scale: number
  /** 16 bytes, and not 8. */
  readonly isWide: boolean
  /** Undefined for what is no value of the type. */
  readonly textOf: (value: NonNullable<LakeValue>) => string | undefined
  /** False for what is no value of the type. */
  readonly readField: (value: DecimalLimbs, field: BinaryRow) => boolean
}

/** Decimals, and all else that is a whole number of 64 bits or more. */
class WholeNumbers implements ColumnEncoding {
  readonly #options: WholeNumberOptions
  readonly #width: number
  readonly #value = new DecimalLimbs()
  readonly #least = new DecimalLimbs()
  readonly #greatest = new DecimalLimbs()
  #isEmpty = true

  constructor(options: WholeNumberOptions) {
    this.#options = options
    this.#width = options.isWide ? 16 : 8
  }

  put(bytes: GrowingBytes, value: NonNullable<LakeValue>): boolean {
    const { textOf, precision, scale } = this.#options
    const text = textOf(value)
    return text !== undefined && this.#value.read(text, 0, text.length, precision, scale) && this.#keep(bytes)
  }

  putField(bytes: GrowingBytes, field: BinaryRow): boolean {
    return this.#options.readField(this.#value, field) && this.#keep(bytes)
  }

  #keep(bytes: GrowingBytes): boolean {
    const value = this.#value
    const { isWide } = this.#options
    if (!isWide && !value.fits64) return false
    const room = bytes.roomView(this.#width)
    if (isWide) value.putWide(room, bytes.length)
    else value.putNarrow(room, bytes.length)
    bytes.length += this.#width
    if (this.#isEmpty || value.compare(this.#least) < 0) this.#least.copy(value)
    if (this.#isEmpty || value.compare(this.#greatest) > 0) this.#greatest.copy(value)
    this.#isEmpty = false
    return true
  }

  endPage(): void {}

  bounds(): ColumnBounds | null {
    if (this.#isEmpty) return null
    const [lower, upper] = [this.#plain(this.#least), this.#plain(this.#greatest)]
    // Decimals are written with as few bytes as hold them, which no other type is.
    const isDecimal = this.#options.textOf === decimalText
    const single = isDecimal ? { lower: this.#least.shortest(), upper: this.#greatest.shortest() } : { lower, upper }
    return { plain: { lower, upper }, single }
  }

  #plain(value: DecimalLimbs): Buffer {
    const bytes = Buffer.alloc(this.#width)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    if (this.#options.isWide) value.putWide(view, 0)
    else value.putNarrow(view, 0)
    return bytes
  }
}

/** Numbers of JavaScript, with their least and greatest. */
abstract class Numbers implements ColumnEncoding {
  readonly #width: number
  #least = Number.POSITIVE_INFINITY
  #greatest = Number.NEGATIVE_INFINITY
  #isEmpty = true
  #isBounded = true

  constructor(width: number) {
    this.#width = width
  }

  protected abstract accepts(value: unknown): value is number
  protected abstract write(bytes: Buffer, value: number, at: number): void
  protected abstract read(bytes: Buffer, at: number): number

  put(bytes: GrowingBytes, value: NonNullable<LakeValue>): boolean {
    if (!this.accepts(value)) return false
    this.write(bytes.room(this.#width), value, bytes.length)
    bytes.length += this.#width
    this.#isEmpty = false
    if (Number.isNaN(value)) this.#isBounded = false
    if (value < this.#least) this.#least = value
    if (value > this.#greatest) this.#greatest = value
    return true
  }

  putField(bytes: GrowingBytes, field: BinaryRow): boolean {
    return this.put(bytes, this.read(field.bytes, field.start))
  }

  endPage(): void {}

  bounds(): ColumnBounds | null {
    if (this.#isEmpty || !this.#isBounded) return null
    // Of the two zeros the one that is no narrower.
    const [least, greatest] = [this.#least === 0 ? -0 : this.#least, this.#greatest === 0 ? 0 : this.#greatest]
    const plain = { lower: this.#plain(least), upper: this.#plain(greatest) }
    return { plain, single: plain }
  }

  #plain(value: number): Buffer {
    const bytes = Buffer.alloc(this.#width)
    this.write(bytes, value, 0)
    return bytes
  }
}

class Integers extends Numbers {
  constructor() {
    super(4)
  }

  protected accepts(value: unknown): value is number {
    return Number.isInteger(value) && (value as number) <= maxInt32 && (value as number) >= -maxInt32 - 1
  }

  protected write(bytes: Buffer, value: number, at: number): void {
    bytes.writeInt32LE(value, at)
  }

  protected read(bytes: Buffer, at: number): number {
    return bytes.readInt32BE(at)
  }
}

class Doubles extends Numbers {
  constructor() {
    super(8)
  }

  protected accepts(value: unknown): value is number {
    return typeof value === 'number'
  }

  protected write(bytes: Buffer, value: number, at: number): void {
    bytes.writeDoubleLE(value, at)
  }

  protected read(bytes: Buffer, at: number): number {
    return bytes.readDoubleBE(at)
  }
}

/** Eight to a byte, the first one lowest. */
class Booleans implements ColumnEncoding {
  #bits = 0
  #count = 0

  put(bytes: GrowingBytes, value: NonNullable<LakeValue>): boolean {
    if (typeof value !== 'boolean') return false
    if (value) this.#bits |= 1 << this.#count
    this.#count += 1
    if (this.#count === 8) this.endPage(bytes)
    return true
  }

  putField(bytes: GrowingBytes, field: BinaryRow): boolean {
    return this.put(bytes, field.bytes[field.start] === 1)
  }

  endPage(bytes: GrowingBytes): void {
    if (this.#count === 0) return
    bytes.room(1)[bytes.length] = this.#bits
    bytes.length += 1
    this.#bits = 0
    this.#count = 0
  }

  bounds(): null {
    return null
  }
}

/** UTF-8 behind its length. */
class Texts implements ColumnEncoding {
  /** The value that came last, so that its bytes are looked at once: many columns repeat themselves. */
  #before: string | null = null
  /** The same where it came as bytes. */
  #bytesBefore: Buffer | null = null
  #least: Buffer | null = null
  #greatest: Buffer | null = null
  #isBounded = true

  put(bytes: GrowingBytes, value: NonNullable<LakeValue>): boolean {
    if (typeof value !== 'string') return false
    const isRepeated = value === this.#before
    if (!isRepeated && !value.isWellFormed()) return false
    const room = bytes.room(4 + 3 * value.length)
    const start = bytes.length + 4
    const size = room.write(value, start)
    room.writeUInt32LE(size, bytes.length)
    bytes.length = start + size
    if (!isRepeated) this.#mind(room.subarray(start, start + size))
    this.#before = value
    return true
  }

  putField(bytes: GrowingBytes, { bytes: from, start, length }: BinaryRow): boolean {
    const room = bytes.room(4 + length)
    const at = bytes.length + 4
    room.writeUInt32LE(length, bytes.length)
    from.copy(room, at, start, start + length)
    bytes.length = at + length
    const before = this.#bytesBefore
    if (before?.length === length && from.compare(before, 0, length, start, start + length) === 0) return true
    const value = Buffer.from(room.subarray(at, at + length))
    this.#bytesBefore = value
    this.#mind(value)
    return true
  }

  /** In the order of the bytes in UTF-8, which is not that of UTF-16 beyond U+D7FF. */
  #mind(value: Buffer): void {
    if (!this.#isBounded) return
    if (this.#least === null || value.compare(this.#least) < 0) this.#least = Buffer.from(value)
    if (this.#greatest === null || value.compare(this.#greatest) > 0) this.#greatest = Buffer.from(value)
    if (this.#least.length > longestBound || this.#greatest.length > longestBound) this.#isBounded = false
  }

  endPage(): void {}

  bounds(): ColumnBounds | null {
    if (!this.#isBounded || this.#least === null || this.#greatest === null) return null
    const plain = { lower: this.#least, upper: this.#greatest }
    return { plain, single: plain }
  }
}
