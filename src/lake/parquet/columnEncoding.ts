import { decimalOf, type LakeType, type LakeValue } from '../lakeTable.ts'
import { DecimalLimbs } from './decimalLimbs.ts'
import type { GrowingBytes } from './growingBytes.ts'

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
  /** The same of a value as PostgreSQL tells it in `columnSql`. */
  putText(bytes: GrowingBytes, text: string, start: number, end: number): boolean
  /** Ends a page, for types whose values share bytes. */
  endPage(bytes: GrowingBytes): void
  /** Null where there are none, or none that can be told. */
  bounds(): ColumnBounds | null
}

const lastMs = 8_640_000_000_000_000
/** Longer texts are no bounds: metadata would grow with the rows. */
const longestBound = 128
const maxInt32 = 2_147_483_647

export function encodingOf(type: LakeType): ColumnEncoding {
  const exact = decimalOf(type)
  if (exact !== null) {
    const { precision, scale } = exact
    return new WholeNumbers({ precision, scale, textScale: scale, isWide: precision > 18, textOf: decimalText })
  }
  switch (type) {
    case 'long':
      return new WholeNumbers({ precision: 19, scale: 0, textScale: 0, isWide: false, textOf: longText })
    case 'timestamptz':
      // Rows tell ms, PostgreSQL seconds with six places; microseconds are what Iceberg has.
      return new WholeNumbers({ precision: 19, scale: 0, textScale: 6, isWide: false, textOf: microsText })
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

interface WholeNumberOptions {
  readonly precision: number
  readonly scale: number
  /** Of the text that PostgreSQL tells. */
  readonly textScale: number
  /** 16 bytes, and not 8. */
  readonly isWide: boolean
  /** Undefined for what is no value of the type. */
  readonly textOf: (value: NonNullable<LakeValue>) => string | undefined
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

  putText(bytes: GrowingBytes, text: string, start: number, end: number): boolean {
    const { precision, textScale } = this.#options
    return this.#value.read(text, start, end, precision, textScale) && this.#keep(bytes)
  }

  #keep(bytes: GrowingBytes): boolean {
    const value = this.#value
    const { isWide } = this.#options
    if (!isWide && !value.fits64) return false
    const room = bytes.room(this.#width)
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
    if (this.#options.isWide) value.putWide(bytes, 0)
    else value.putNarrow(bytes, 0)
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

  putText(bytes: GrowingBytes, text: string, start: number, end: number): boolean {
    return this.put(bytes, Number(text.slice(start, end)))
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

  putText(bytes: GrowingBytes, text: string, start: number): boolean {
    return this.put(bytes, text[start] === 't')
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
  /** The value that came last, whose bytes are still there: many columns repeat themselves. */
  #before: string | null = null
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

  putText(bytes: GrowingBytes, text: string, start: number, end: number): boolean {
    return this.put(bytes, text.slice(start, end))
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
