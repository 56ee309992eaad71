import { isJsonObject } from '../../codecs/jsonText.ts'
import type { ReadAhead } from '../../runtime/log/readAhead.ts'
import type { RecordFacts, RecordView } from '../../runtime/log/record.ts'
import { headersText } from './archiveLines.ts'
import { FixedText, viewOf, writeFixed } from './ascii.ts'
import { KeyFields } from './keyFields.ts'
import { LineHead } from './lineHead.ts'
import type { PieceBuffers } from './pieceBuffers.ts'
import { spanLines } from './spanLines.ts'

const NOTHING = Buffer.alloc(0)
const INITIAL_BYTES = 4096
/** A multiple of three bytes. */
const BASE64_SLICE_BYTES = 3 * 64 * 1024
/** More than the longest line's fixed parts: two numbers and the names of four fields. */
const FRAME_BYTES = 160

const NULL_KEY = new FixedText(',"key":null,')
const VALUE = new FixedText('"value":')
const BASE64 = new FixedText('"base64":"')
const NULL_VALUE = new FixedText('"value":null}\n')
const VERBATIM_END = new FixedText('}\n')
const BASE64_END = new FixedText('"}\n')

/** The buffer that a value was copied from last, one for the process: records come by the hundred from one. */
let lastSource: { readonly buffer: Buffer; readonly view: DataView } = { buffer: NOTHING, view: viewOf(NOTHING) }

function viewOfSource(buffer: Buffer): DataView {
  if (buffer !== lastSource.buffer) lastSource = { buffer, view: viewOf(buffer) }
  return lastSource.view
}

/**
 * Writes records as JSON lines into one growing buffer:
 * `{"offset":7,"timestamp":1723161255342,"key":"BTCUSDT","value":{…}}`.
 *
 * A value that is one strict JSON object on one line is kept verbatim; any other goes into `"base64"`, and a null one
 * is `"value":null`. A key that is not UTF-8 goes into `"key_base64"`. Headers, where there are any, stand before the value as pairs of name and base64 (`"headers":[["trace","YWJj"]]`).
 * So every line is valid JSON and no byte is lost.
 */
export class LineBuffer {
  readonly #pieces: PieceBuffers
  readonly #fields = new KeyFields()
  readonly #head = new LineHead()
  #buffer: Buffer = NOTHING
  /** Of the same bytes. */
  #view = viewOf(NOTHING)
  #length = 0
  /** Who writes little needs little; who has filled a piece will fill another. */
  #leastBytes = INITIAL_BYTES

  constructor(pieces: PieceBuffers) {
    this.#pieces = pieces
  }

  /** How many bytes were written since the last `take`. */
  get length(): number {
    return this.#length
  }

  get heldBytes(): number {
    return this.#buffer.length + this.#fields.heldBytes
  }

  /** The keys that were met and are text, in code unit order. */
  keys(): string[] {
    return [...this.#fields.texts].sort()
  }

  /** Writes the record's line and says how long it is. */
  append(record: RecordView, facts?: RecordFacts): number {
    const start = this.#length
    const { valueLength } = record
    if (valueLength < 0) {
      const at = this.#writeStart(record, 0)
      this.#length = writeFixed(NULL_VALUE, this.#buffer, this.#view, at)
    } else if (isObject(record, facts))
      this.#length = this.#writeVerbatim(record, this.#writeStart(record, valueLength))
    else this.#length = this.#writeBase64(record, this.#writeStart(record, Math.ceil(valueLength / 3) * 4))
    return this.#length - start
  }

  /**
   * Writes the lines of records that were read ahead, from the one at hand up to the one before `end`, and says of how many; their values must be strict JSON objects on one line. Ends with the line that makes
   * `enough` bytes of them, before the first record of `hourEnd` or later, and before one that only `append` knows: 0 where that is the one at hand.
   */
  appendTogether(records: ReadAhead, end: number, enough: number, hourEnd: number): number {
    const lines = spanLines()
    const count = lines?.write(records, end, enough, hourEnd, this.#fields) ?? 0
    if (lines === null || count === 0) return 0
    this.#ensure(lines.length)
    this.#length = lines.copyTo(this.#buffer, this.#length)
    return count
  }

  /**
   * Writes the record's line in parts, for one that is too long to be there as a whole: its start goes behind what was written before, its value to `onPart` in slices of at most
   * 256 KiB, which are only good until that returns, and its end into a new buffer. Says how long it is.
   * @param onStart is called before the first slice, and has to `take` what was written until then
   */
  appendInParts(
    record: RecordView,
    facts: RecordFacts | undefined,
    onStart: () => void,
    onPart: (bytes: Buffer) => void,
  ): number {
    const { buffer, valueStart, valueLength } = record
    const end = valueStart + valueLength
    const isVerbatim = isObject(record, facts)
    const before = this.#length
    const valueAt = this.#writeStart(record, 0)
    this.#length = writeFixed(isVerbatim ? VALUE : BASE64, this.#buffer, this.#view, valueAt)
    let bytes = this.#length - before
    onStart()
    const text = isVerbatim ? NOTHING : Buffer.allocUnsafe((BASE64_SLICE_BYTES / 3) * 4)
    for (let from = valueStart; from < end; from += BASE64_SLICE_BYTES) {
      const to = Math.min(from + BASE64_SLICE_BYTES, end)
      const part = isVerbatim
        ? buffer.subarray(from, to)
        : text.subarray(0, text.write(buffer.toString('base64', from, to), 'latin1'))
      onPart(part)
      bytes += part.length
    }
    this.#ensure(FRAME_BYTES)
    const tail = writeFixed(isVerbatim ? VERBATIM_END : BASE64_END, this.#buffer, this.#view, this.#length)
    bytes += tail - this.#length
    this.#length = tail
    return bytes
  }

  /** Writes what stands before the value, with room for so many bytes behind it, and gives where they begin. */
  #writeStart(record: RecordView, valueBytes: number): number {
    const { buffer: source, keyStart, keyLength } = record
    const keyField = keyLength < 0 ? NULL_KEY : this.#fields.of(source, viewOfSource(source), keyStart, keyLength).field
    const headers = record.headersLength === 0 ? NOTHING : headersField(record)
    this.#ensure(FRAME_BYTES + keyField.length + headers.length + valueBytes)
    const buffer = this.#buffer
    const view = this.#view
    const keyAt = this.#head.write(record.offset, record.timestamp, view, this.#length)
    const at = writeFixed(keyField, buffer, view, keyAt)
    return headers.length === 0 ? at : at + headers.copy(buffer, at)
  }

  #writeVerbatim({ buffer: source, valueStart, valueLength }: RecordView, start: number): number {
    const buffer = this.#buffer
    const at = writeFixed(VALUE, buffer, this.#view, start)
    source.copy(buffer, at, valueStart, valueStart + valueLength)
    return writeEnd(buffer, at + valueLength)
  }

  #writeBase64({ buffer: source, valueStart, valueLength }: RecordView, start: number): number {
    const buffer = this.#buffer
    const from = writeFixed(BASE64, buffer, this.#view, start)
    const at = writeBase64(buffer, from, source, valueStart, valueStart + valueLength)
    buffer[at] = 0x22
    return writeEnd(buffer, at + 1)
  }

  /** What was written since the last take. The bytes are the caller's, who gives them back to the `PieceBuffers`. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length)
    this.#hold(NOTHING)
    this.#length = 0
    this.#leastBytes = this.#pieces.bytes
    return taken
  }

  #ensure(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const common = this.#pieces.bytes
    let size = Math.max(this.#leastBytes, this.#buffer.length * 2)
    // A line that is larger than a piece is mostly alone in it.
    if (needed > 2 * common) size = needed
    else while (size < needed) size *= 2
    const isCommon = needed <= common && size > common / 2
    const grown = isCommon ? this.#pieces.take() : Buffer.allocUnsafeSlow(size)
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#pieces.giveBack(this.#buffer)
    this.#hold(grown)
  }

  #hold(buffer: Buffer): void {
    this.#buffer = buffer
    this.#view = viewOf(buffer)
  }
}

function headersField(record: RecordView): Buffer {
  return Buffer.from(`"headers":${headersText(record.headers())},`)
}

/** Whether the value is one strict JSON object on one line. */
function isObject({ buffer, valueStart, valueLength }: RecordView, facts: RecordFacts | undefined): boolean {
  return facts?.isJsonObject === true || isJsonObject(buffer, valueStart, valueStart + valueLength)
}

function writeEnd(buffer: Buffer, at: number): number {
  buffer[at] = 0x7d
  buffer[at + 1] = 0x0a
  return at + 2
}

/** In slices that end between characters of base64, so that the text of a value of many megabytes is never there as a whole. */
function writeBase64(buffer: Buffer, start: number, bytes: Buffer, from: number, to: number): number {
  let at = start
  for (let slice = from; slice < to; slice += BASE64_SLICE_BYTES) {
    at += buffer.write(bytes.toString('base64', slice, Math.min(slice + BASE64_SLICE_BYTES, to)), at, 'latin1')
  }
  return at
}
