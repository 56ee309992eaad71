import type { TextColumn } from '../../runtime/spans/lentColumn.ts'
import type { Column, ColumnType, ColumnValue } from '../../runtime/store/table.ts'
import { escapeText, timestampText, valueText } from './columnText.ts'
import type { CopyChunks } from './copyChunks.ts'

/** What `chunk.write(text, at)` calls once it has looked at its arguments, which takes longer than to write a short text. Every Node has it, and its documentation does not. */
interface WithUtf8Write {
  readonly utf8Write?: (this: Buffer, text: string, at: number, length: number) => number
}

const { utf8Write } = Buffer.prototype as WithUtf8Write
const writeText: (chunk: Buffer, text: string, at: number) => number =
  utf8Write === undefined
    ? (chunk, text, at) => chunk.write(text, at)
    : (chunk, text, at) => utf8Write.call(chunk, text, at, chunk.length - at)

const backslash = 0x5c
const tab = 0x09
const lineEnd = 0x0a
const zero = 0x30
const minus = 0x2d
const point = 0x2e
/** The two digits of each number below a hundred. */
const pairs = Uint16Array.from({ length: 100 }, (_, i) => ((zero + ((i / 10) | 0)) << 8) | (zero + (i % 10)))
/** Whole numbers are split by it: their parts are small ints. */
const eightDigits = 100_000_000
/** Numeric holds any number of so many. */
const mostDigits = 1_000

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const special = /[\\\n\r\t]/g

/** By byte of ASCII: itself, 0 where `escapeText` has to see it, and for one that COPY treats specially what stands behind the backslash, negative. */
const asCopied = Int8Array.from({ length: 256 }, (_, code) => {
  const escaped = escapes[String.fromCharCode(code)]
  if (escaped !== undefined) return -escaped.charCodeAt(1)
  return code < 128 ? code : 0
})

/** A second and its text down to the point, as bytes of doubles and an int: times of neighbours are of one. */
interface KnownSecond {
  readonly ms: number
  readonly first: number
  readonly second: number
  readonly rest: number
}

const noSecond: KnownSecond = { ms: Number.NaN, first: 0, second: 0, rest: 0 }

/**
 * Writes cells as COPY reads them. Usual values become bytes at once, all others by way of `valueText`, which throws `BadRowError` for one that the column cannot hold. Behind each cell there is room for
 * what ends it.
 */
export class CopyCells {
  readonly #table: string
  readonly #columns: readonly Column<unknown>[]
  readonly #chunks: CopyChunks
  #second = noSecond

  constructor(table: string, columns: readonly Column<unknown>[], chunks: CopyChunks) {
    this.#table = table
    this.#columns = columns
    this.#chunks = chunks
  }

  /** Between two cells. */
  tab(): void {
    this.#byte(tab)
  }

  /** Behind the last. */
  end(): void {
    this.#byte(lineEnd)
  }

  null(): void {
    this.#ascii('\\N')
  }

  text(value: ColumnValue, column: number, row: unknown): void {
    if (typeof value === 'string') this.#text(value)
    else this.other(value, column, row)
  }

  integer(value: ColumnValue, column: number, row: unknown): void {
    if (typeof value === 'number' && value === (value | 0)) this.#whole(value)
    else this.other(value, column, row)
  }

  bigint(value: ColumnValue, column: number, row: unknown): void {
    if (Number.isSafeInteger(value)) this.#whole(value as number)
    else this.other(value, column, row)
  }

  numeric(value: ColumnValue, column: number, row: unknown): void {
    if (typeof value !== 'string' || !this.#digits(value)) this.other(value, column, row)
  }

  timestamptz(value: ColumnValue, column: number, row: unknown): void {
    if (typeof value !== 'number' || !this.#time(value)) this.other(value, column, row)
  }

  textAt(texts: TextColumn, record: number, column: number, row: unknown): void {
    const { asBytes } = texts
    const start = asBytes === null ? -1 : asBytes.startOf(record)
    if (asBytes === null || start < 0) this.text(texts.at(record), column, row)
    else this.#copy(asBytes.memory, start, asBytes.length)
  }

  bigintAt(numbers: Float64Array, record: number, column: number, row: unknown): void {
    const value = numbers[record] as number
    if (Number.isSafeInteger(value)) this.#whole(value)
    else this.other(value, column, row)
  }

  timestamptzAt(numbers: Float64Array, record: number, column: number, row: unknown): void {
    const value = numbers[record] as number
    if (!this.#time(value)) this.other(value, column, row)
  }

  /** One that is not usual, or of a type that has no other way. */
  other(value: ColumnValue, column: number, row: unknown): void {
    const of = this.#columns[column] as Column<unknown>
    const text = valueText(this.#table, of, row, value as Exclude<ColumnValue, null>)
    if (of.type === 'jsonb') this.#text(text, true)
    else this.#ascii(text)
  }

  /** Bytes as they came in JSON, whose escapes of one character COPY takes for the same. Eight at a time: ASCII is no NaN, so a double has the bits of its bytes. */
  #copy(from: DataView, start: number, length: number): void {
    const chunks = this.#chunks
    chunks.room(length + 8)
    const { view, at } = chunks
    for (let i = 0; i < length; i += 8) view.setFloat64(at + i, from.getFloat64(start + i))
    chunks.at = at + length
  }

  #whole(value: number): void {
    const chunks = this.#chunks
    chunks.room(20)
    if (value < 0) this.#byte(minus)
    const size = Math.abs(value)
    if (size < eightDigits) {
      this.#small(size | 0, lengthOf(size | 0))
      return
    }
    const high = Math.floor(size / eightDigits)
    this.#small(high | 0, lengthOf(high | 0))
    this.#small((size - high * eightDigits) | 0, 8)
  }

  #small(value: number, length: number): void {
    const chunks = this.#chunks
    const { chunk, view, at } = chunks
    let left = value
    for (let place = at + length - 2; place >= at; place -= 2) {
      const hundredth = (left / 100) | 0
      view.setUint16(place, pairs[left - hundredth * 100] as number)
      left = hundredth
    }
    if ((length & 1) === 1) chunk[at] = zero + left
    chunks.at = at + length
  }

  /** False where it is not a plain number, or one that numeric may not hold, and nothing is written. */
  #digits(text: string): boolean {
    if (text.length > mostDigits) return false
    const chunks = this.#chunks
    chunks.room(text.length + 1)
    const { chunk, at } = chunks
    const first = text.charCodeAt(0) === minus ? 1 : 0
    let points = 0
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i)
      const isDigit = code >= zero && code <= zero + 9
      if (!isDigit && (code !== minus || i > 0)) {
        if (code !== point || points > 0 || i === first || i === text.length - 1) return false
        points += 1
      }
      chunk[at + i] = code
    }
    if (text.length === first) return false
    chunks.at = at + text.length
    return true
  }

  /** False for what is no time. */
  #time(ms: number): boolean {
    const sinceSecond = ms - this.#second.ms
    if (!(sinceSecond >= 0 && sinceSecond < 1_000 && Number.isInteger(ms))) {
      const text = timestampText(ms)
      if (text === null) return false
      // Before our era, and from the year 10000 on, there is more to the text.
      if (text.length === 24) this.#second = secondOf(ms, text)
      this.#ascii(text)
      return true
    }
    const chunks = this.#chunks
    chunks.room(25)
    const { chunk, view, at } = chunks
    const { first, second, rest } = this.#second
    view.setFloat64(at, first)
    view.setFloat64(at + 8, second)
    view.setInt32(at + 16, rest)
    const tenths = (sinceSecond / 10) | 0
    const hundreds = (sinceSecond / 100) | 0
    chunk[at + 20] = zero + hundreds
    chunk[at + 21] = zero + tenths - hundreds * 10
    chunk[at + 22] = zero + sinceSecond - tenths * 10
    chunk[at + 23] = 0x5a
    chunks.at = at + 24
    return true
  }

  /** @param isStorable whether `escapeText` has seen it */
  #text(text: string, isStorable = false): void {
    const chunks = this.#chunks
    const { length } = text
    // Each character may become two bytes; a word is looked at behind the last.
    chunks.room(2 * length + 4)
    const { chunk, at } = chunks
    if (writeText(chunk, text, at) === length) {
      const end = this.#escaped(at, at + length)
      if (end >= 0) {
        chunks.at = end
        return
      }
    }
    const copied = (isStorable ? text : escapeText(text)).replace(special, (character) => escapes[character] as string)
    chunks.room(Buffer.byteLength(copied) + 1)
    chunks.at += writeText(chunks.chunk, copied, chunks.at)
  }

  /** Puts backslashes into the ASCII text that was written there, and gives where it ends then; -1 where there is what `escapeText` has to see. */
  #escaped(start: number, end: number): number {
    const { chunk, view } = this.#chunks
    let first = start
    while (first < end && !hasSpecial(view.getInt32(first))) first += 4
    let more = 0
    for (let at = first; at < end; at += 4) {
      if (!hasSpecial(view.getInt32(at))) continue
      for (let byte = at; byte < at + 4 && byte < end; byte += 1) {
        const copied = asCopied[chunk[byte] as number] as number
        if (copied === 0) return -1
        if (copied < 0) more += 1
      }
    }
    let at = end
    for (let to = end + more; to > at; ) {
      const word = at - 4 < first ? 0 : view.getInt32(at - 4)
      if (!hasSpecial(word)) {
        at -= 4
        to -= 4
        view.setInt32(to, word)
        continue
      }
      at -= 1
      to -= 1
      const copied = asCopied[chunk[at] as number] as number
      chunk[to] = Math.abs(copied)
      if (copied > 0) continue
      to -= 1
      chunk[to] = backslash
    }
    return end + more
  }

  /** Of text that has no character that COPY treats specially, or is one of its words. */
  #ascii(text: string): void {
    const chunks = this.#chunks
    chunks.room(text.length + 1)
    chunks.at += writeText(chunks.chunk, text, chunks.at)
  }

  /** There is room. */
  #byte(byte: number): void {
    const chunks = this.#chunks
    chunks.chunk[chunks.at] = byte
    chunks.at += 1
  }
}

/** What writes the values of each type. */
export const writers = {
  text: 'text',
  integer: 'integer',
  bigint: 'bigint',
  numeric: 'numeric',
  'double precision': 'other',
  boolean: 'other',
  timestamptz: 'timestamptz',
  jsonb: 'other',
} as const satisfies Readonly<Record<ColumnType, keyof CopyCells>>

function lengthOf(value: number): number {
  let length = 1
  for (let limit = 10; limit <= value; limit *= 10) length += 1
  return length
}

/** Whether one of four bytes is a control character or a backslash. */
function hasSpecial(word: number): boolean {
  const difference = word ^ 0x5c5c_5c5c
  const marks = ((difference - 0x0101_0101) & ~difference) | ((word - 0x2020_2020) & ~word)
  return (marks & 0x8080_8080) !== 0
}

function secondOf(ms: number, text: string): KnownSecond {
  const bytes = Buffer.from(text)
  return {
    ms: Math.floor(ms / 1_000) * 1_000,
    first: bytes.readDoubleBE(0),
    second: bytes.readDoubleBE(8),
    rest: bytes.readInt32BE(16),
  }
}
