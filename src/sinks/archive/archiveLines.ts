import { CorruptRecordError } from '../../runtime/errors.ts'
import { encodeHeaders } from '../../runtime/log/encodeHeaders.ts'
import type { RecordHeader, RecordView } from '../../runtime/log/record.ts'
import type { RecordColumns } from '../../runtime/log/recordColumns.ts'
import { PlainLines } from './plainLines.ts'

const noBytes = Buffer.alloc(0)

const OFFSET = Buffer.from('{"offset":')
const TIMESTAMP = Buffer.from(',"timestamp":')
const KEY = Buffer.from(',"key":')
const KEY_BASE64 = Buffer.from(',"key_base64":')
const HEADERS = Buffer.from(',"headers":')
const VALUE = Buffer.from(',"value":')
const BASE64 = Buffer.from(',"base64":')
const NULL = Buffer.from('null')

const NEWLINE = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const ZERO = 0x30
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const BACKSLASH = 0x5c
const LETTER_V = 0x76
const BRACE_END = 0x7d

/**
 * Walks the lines that `LineBuffer` has written, in place: key and value of a record are ranges of the line's own buffer, and nothing is allocated. Only what was escaped or written in base64
 * is copied.
 */
export class ArchiveLines {
  #bytes: Buffer = noBytes
  /** Where the next line starts. */
  #at = 0
  #line = 0
  readonly #plain = new PlainLines()
  /** What `#number` has read. */
  #parsed = 0

  /** Where the line that is not whole starts, once `read` has given false; the length of the bytes where all are. */
  get position(): number {
    return this.#at
  }

  /** Takes on bytes that begin with a line, and must stay unchanged while they are walked. */
  load(bytes: Buffer): this {
    this.#bytes = bytes
    this.#plain.load(bytes)
    this.#at = 0
    return this
  }

  /** Adds the records of the next lines to the columns, from an offset on: as many as it can read together and there is room for. What it says nothing about is for `read`. */
  readMany(columns: RecordColumns, fromOffset: number): void {
    this.#plain.at = this.#at
    this.#line += this.#plain.read(columns, fromOffset)
    this.#at = this.#plain.at
  }

  /** Moves the view to the next record; false where no whole line is left. Throws `CorruptRecordError` on what the archive did not write. */
  read(view: RecordView): boolean {
    const bytes = this.#bytes
    const start = this.#at
    const lineEnd = bytes.indexOf(NEWLINE, start)
    if (lineEnd < 0) return false
    this.#line += 1
    const last = lineEnd - 1
    let at = this.#expect(OFFSET, start)
    at = this.#number(at, last)
    view.offset = this.#parsed
    at = this.#number(this.#expect(TIMESTAMP, at), last)
    view.timestamp = this.#parsed
    if (bytes[last] !== BRACE_END) this.#fail('is not a record')
    const keyAt = bytes[at + KEY.length - 2] === QUOTE ? this.#expect(KEY, at) : -1
    if (keyAt < 0) this.#readSpecial(view, at, last)
    else if (bytes[keyAt] !== QUOTE) this.#readNullKey(view, keyAt, last)
    else {
      let end = keyAt + 1
      while (end < last && bytes[end] !== QUOTE && bytes[end] !== BACKSLASH) end += 1
      // `,"value":` is the only field that goes on with a v.
      if (bytes[end] !== QUOTE || bytes[end + 3] !== LETTER_V) this.#readSpecial(view, at, last)
      else {
        view.keyStart = keyAt + 1
        view.keyLength = end - keyAt - 1
        this.#readPlainValue(view, this.#expect(VALUE, end + 1), last)
      }
    }
    this.#at = lineEnd + 1
    return true
  }

  #readNullKey(view: RecordView, at: number, last: number): void {
    const behind = this.#expect(NULL, at)
    if (this.#bytes[behind + 2] !== LETTER_V) this.#readSpecial(view, at - KEY.length, last)
    else {
      view.keyStart = 0
      view.keyLength = -1
      this.#readPlainValue(view, this.#expect(VALUE, behind), last)
    }
  }

  #readPlainValue(view: RecordView, start: number, last: number): void {
    view.buffer = this.#bytes
    view.headersStart = 0
    view.headersLength = 0
    view.valueStart = start
    view.valueLength = this.#isNull(start, last) ? -1 : last - start
  }

  /** A line with something in it that does not stand there as it is. */
  #readSpecial(view: RecordView, start: number, last: number): void {
    const isKeyBase64 = this.#has(KEY_BASE64, start)
    let at = this.#expect(isKeyBase64 ? KEY_BASE64 : KEY, start)
    const keyEnd = this.#jsonEnd(at, last)
    const keyJson = this.#json(at, keyEnd) as string | null
    const key = keyJson === null ? null : Buffer.from(keyJson, isKeyBase64 ? 'base64' : 'utf8')
    at = keyEnd
    let headers: Buffer = noBytes
    if (this.#has(HEADERS, at)) {
      const from = at + HEADERS.length
      at = this.#jsonEnd(from, last)
      headers = encodeHeaders(headersOf(this.#json(from, at) as readonly HeaderJson[]))
    }
    const value = this.#has(VALUE, at)
      ? this.#plainValue(at + VALUE.length, last)
      : this.#base64Value(this.#expect(BASE64, at), last)
    const joined = Buffer.concat([key ?? noBytes, value ?? noBytes, headers])
    view.buffer = joined
    view.keyStart = 0
    view.keyLength = key?.length ?? -1
    view.valueStart = key?.length ?? 0
    view.valueLength = value?.length ?? -1
    view.headersStart = headers.length === 0 ? 0 : joined.length - headers.length
    view.headersLength = headers.length
  }

  #plainValue(start: number, last: number): Buffer | null {
    return this.#isNull(start, last) ? null : this.#bytes.subarray(start, last)
  }

  #base64Value(start: number, last: number): Buffer {
    const bytes = this.#bytes
    if (bytes[start] !== QUOTE || bytes[last - 1] !== QUOTE) this.#fail('has a value that is not base64 text')
    return Buffer.from(bytes.toString('latin1', start + 1, last - 1), 'base64')
  }

  #isNull(start: number, last: number): boolean {
    return last - start === NULL.length && this.#has(NULL, start)
  }

  /** The value of the JSON between, which is a text, null or a list. */
  #json(start: number, end: number): unknown {
    try {
      return JSON.parse(this.#bytes.toString('utf8', start, end))
    } catch {
      return this.#fail('is not a record')
    }
  }

  /** Where a JSON text, null or list that starts there ends. */
  #jsonEnd(start: number, last: number): number {
    const bytes = this.#bytes
    let depth = 0
    for (let at = start; at < last; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) {
        for (at += 1; at < last && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at += 1
        if (depth === 0) return at + 1
      } else if (byte === BRACKET) depth += 1
      else if (byte === BRACKET_END) {
        depth -= 1
        if (depth === 0) return at + 1
      } else if (byte === COMMA && depth === 0) return at
    }
    return this.#fail('is not a record')
  }

  /** Parses the number that stands there, and gives the place behind it. */
  #number(start: number, last: number): number {
    const bytes = this.#bytes
    // Nine digits at a time, so that the sums are small integers.
    let high = 0
    let at = start
    const middle = start + 9
    for (; at < middle; at++) {
      const digit = (bytes[at] as number) - ZERO
      if (digit < 0 || digit > 9) break
      high = (high * 10 + digit) | 0
    }
    let low = 0
    let scale = 1
    for (; at < last; at++) {
      const digit = (bytes[at] as number) - ZERO
      if (digit < 0 || digit > 9) break
      low = (low * 10 + digit) | 0
      scale = (scale * 10) | 0
    }
    if (at === start || at - start > 15 || bytes[at] !== COMMA) return this.#oddNumber(start, last)
    this.#parsed = high * scale + low
    return at
  }

  /** One that is negative, or not a safe integer. */
  #oddNumber(start: number, last: number): number {
    const bytes = this.#bytes
    const end = bytes.indexOf(COMMA, start)
    if (end < 0 || end > last || end - start > 30) this.#fail('is not a record')
    const text = bytes.toString('latin1', start, end)
    const value = Number(text)
    if (text === '' || !Number.isFinite(value)) this.#fail('is not a record')
    this.#parsed = value
    return end
  }

  #has(text: Buffer, at: number): boolean {
    const bytes = this.#bytes
    for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false
    return true
  }

  #expect(text: Buffer, at: number): number {
    if (!this.#has(text, at)) this.#fail('is not a record')
    return at + text.length
  }

  #fail(what: string): never {
    throw new CorruptRecordError(`archive object: line ${this.#line} ${what}`)
  }

  /** Ends an object: throws where bytes are left that are no whole line. */
  refuseRest(): void {
    if (this.#at === this.#bytes.length) return
    this.#line += 1
    this.#fail('has no end')
  }
}

type HeaderJson = readonly [name: string, base64: string | null]

/** The headers of a record as the archive writes them: pairs of name and base64. */
export function headersText(headers: readonly RecordHeader[]): string {
  return JSON.stringify(
    headers.map(({ key, value }) => [key, value === null ? null : Buffer.from(value).toString('base64')]),
  )
}

function headersOf(pairs: readonly HeaderJson[]): RecordHeader[] {
  return pairs.map(([key, base64]) => ({ key, value: base64 === null ? null : Buffer.from(base64, 'base64') }))
}
