import type { PackedRows, RowPacker } from '../../runtime/packedRows.ts'
import type { AppendTable, Column, ColumnValue } from '../../runtime/table.ts'
import { Withdrawn } from '../../runtime/withdrawn.ts'
import { columnValue, escapeText, rowText, timestampText, valueText } from './columnText.ts'

const chunkBytes = 64 * 1024
/** So many chunks are kept for what comes next. */
const mostSpares = 32
/** Up to this length a loop over the characters is faster than calls that look at all of them. */
const shortText = 256

const backslash = 0x5c
const tab = 0x09
const lineEnd = 0x0a
const zero = 0x30
const minus = 0x2d

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const special = /[\\\n\r\t]/g

/** By ASCII character: itself, 0 where `escapeText` has to see it, and for one that COPY treats specially what stands behind the backslash, negative. */
const asCopied = Int8Array.from({ length: 128 }, (_, code) => {
  const escaped = escapes[String.fromCharCode(code)]
  return escaped === undefined ? code : -escaped.charCodeAt(1)
})

/** A second and its text down to the point: times of neighbours are of one. */
interface KnownSecond {
  readonly ms: number
  readonly text: Uint8Array
}

const noSecond: KnownSecond = { ms: Number.NaN, text: new Uint8Array(0) }

/**
 * Makes rows of an append table the text that COPY reads, each when it comes: what waits for a checkpoint is some bytes then and no objects, which the garbage collector would copy and mark while they wait.
 *
 * Keeps the bytes, in chunks of 64 KiB, until they are taken, and up to 2 MiB of chunks that were released: new ones each time would have the garbage collector look for old ones.
 */
export class CopyPacker implements RowPacker {
  count = 0
  readonly #table: AppendTable<unknown>
  readonly #columns: readonly Column<unknown>[]
  #full: Buffer[] = []
  #fullBytes = 0
  /** Chunks that are full, and those that may be filled again. */
  #used: Buffer[] = []
  readonly #spares: Buffer[] = []
  #chunk: Buffer = Buffer.alloc(0)
  /** Where in the chunk begins what was not taken yet, where the row that is being written, and where that has come to. */
  #from = 0
  #rowAt = 0
  #at = 0
  #second = noSecond

  constructor(table: AppendTable<never>) {
    this.#table = table as AppendTable<unknown>
    this.#columns = this.#table.columns
  }

  get bytes(): number {
    return this.#fullBytes + this.#rowAt - this.#from
  }

  add(row: unknown): void {
    // Says why not.
    if (row instanceof Withdrawn) rowText(this.#table, row)
    try {
      for (let i = 0; i < this.#columns.length; i += 1) {
        this.#room(2)
        if (i > 0) this.#byte(tab)
        this.#cell(this.#columns[i] as Column<unknown>, row)
      }
      this.#room(1)
      this.#byte(lineEnd)
    } catch (error) {
      this.#at = this.#rowAt
      throw error
    }
    this.#rowAt = this.#at
    this.count += 1
  }

  take(): PackedRows {
    const { count } = this
    this.#endPart()
    const chunks = this.#full
    const used = this.#used
    this.#full = []
    this.#fullBytes = 0
    this.#used = []
    this.count = 0
    return { count, chunks, release: () => this.#release(used) }
  }

  /** What was taken before is stored by then, so nobody reads the beginning of the first of them either. */
  #release(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      if (chunk.length === chunkBytes && this.#spares.length < mostSpares) this.#spares.push(chunk)
    }
  }

  /** What the chunk has of whole rows goes to what is to be taken. */
  #endPart(): void {
    if (this.#rowAt === this.#from) return
    this.#full.push(this.#chunk.subarray(this.#from, this.#rowAt))
    this.#fullBytes += this.#rowAt - this.#from
    this.#from = this.#rowAt
  }

  #cell(column: Column<unknown>, row: unknown): void {
    const value = columnValue(this.#table.name, column, row)
    const { type } = column
    if (value === null) this.#ascii('\\N')
    else if (type === 'text' && typeof value === 'string') this.#text(value)
    else if (type === 'bigint' && Number.isSafeInteger(value)) this.#whole(value as number)
    else if (type === 'jsonb') this.#storable(this.#valueText(column, row, value))
    else if (type !== 'timestamptz' || typeof value !== 'number' || !this.#time(value))
      this.#ascii(this.#valueText(column, row, value))
  }

  #valueText(column: Column<unknown>, row: unknown, value: Exclude<ColumnValue, null>): string {
    return valueText(this.#table.name, column, row, value)
  }

  #whole(value: number): void {
    if (value > 0x7fff_ffff || value < -0x7fff_ffff) {
      this.#ascii(String(value))
      return
    }
    this.#room(11)
    if (value < 0) this.#byte(minus)
    let left = Math.abs(value) | 0
    let length = 1
    for (let limit = 10; limit <= left && length < 10; limit *= 10) length += 1
    const chunk = this.#chunk
    const at = this.#at
    for (let place = at + length - 1; place >= at; place -= 1) {
      const tenth = (left / 10) | 0
      chunk[place] = zero + left - tenth * 10
      left = tenth
    }
    this.#at = at + length
  }

  /** False for what is no time. */
  #time(ms: number): boolean {
    const sinceSecond = ms - this.#second.ms
    if (!(sinceSecond >= 0 && sinceSecond < 1_000 && Number.isInteger(ms))) {
      const text = timestampText(ms)
      if (text === null) return false
      // Before our era, and from the year 10000 on, there is more to the text.
      if (text.length === 24)
        this.#second = { ms: Math.floor(ms / 1_000) * 1_000, text: Buffer.from(text.slice(0, 20)) }
      this.#ascii(text)
      return true
    }
    const { text } = this.#second
    this.#room(text.length + 4)
    const chunk = this.#chunk
    let at = this.#at
    for (let i = 0; i < text.length; i += 1) chunk[at + i] = text[i] as number
    at += text.length
    const tenths = (sinceSecond / 10) | 0
    const hundreds = (sinceSecond / 100) | 0
    chunk[at] = zero + hundreds
    chunk[at + 1] = zero + tenths - hundreds * 10
    chunk[at + 2] = zero + sinceSecond - tenths * 10
    chunk[at + 3] = 0x5a
    this.#at = at + 4
    return true
  }

  #text(text: string): void {
    if (text.length > shortText || !this.#shortAscii(text)) this.#storable(escapeText(text))
  }

  /** Text that PostgreSQL can hold as it is. */
  #storable(text: string): void {
    const copied = text.replace(special, (character) => escapes[character] as string)
    this.#room(Buffer.byteLength(copied))
    this.#at += this.#chunk.write(copied, this.#at)
  }

  /** False where there is more to the text than ASCII, and nothing is written. */
  #shortAscii(text: string): boolean {
    this.#room(2 * text.length)
    const chunk = this.#chunk
    let at = this.#at
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i)
      const copied = code < 128 ? (asCopied[code] as number) : 0
      if (copied === 0) return false
      if (copied > 0) chunk[at] = copied
      else {
        chunk[at] = backslash
        at += 1
        chunk[at] = -copied
      }
      at += 1
    }
    this.#at = at
    return true
  }

  /** Of text that has no character that COPY treats specially, or is one of its words. */
  #ascii(text: string): void {
    this.#room(text.length)
    this.#at += this.#chunk.write(text, this.#at, 'latin1')
  }

  /** There is room, for at least so much was asked for. */
  #byte(byte: number): void {
    this.#chunk[this.#at] = byte
    this.#at += 1
  }

  /** Makes room for so many bytes more, in a chunk that has the whole of the row. */
  #room(bytes: number): void {
    if (this.#at + bytes <= this.#chunk.length) return
    const begun = this.#chunk.subarray(this.#rowAt, this.#at)
    this.#endPart()
    this.#used.push(this.#chunk)
    // Room for more than this once, or a row of many columns would be moved at each of them.
    const wanted = Math.max(chunkBytes, 2 * (begun.length + bytes))
    const spare = wanted === chunkBytes ? this.#spares.pop() : undefined
    this.#chunk = spare ?? Buffer.allocUnsafeSlow(wanted)
    begun.copy(this.#chunk)
    this.#from = 0
    this.#rowAt = 0
    this.#at = begun.length
  }
}

/** The rows as the packer has them, all at once: one that the table cannot hold is found before anything is sent. */
export function packedRows(table: AppendTable<never>, rows: readonly unknown[]): PackedRows {
  const packer = new CopyPacker(table)
  for (const row of rows) packer.add(row)
  return packer.take()
}
