import { isUtf8 } from 'node:buffer'
import { isJsonObject } from '../../codecs/jsonText.ts'
import type { RecordView } from '../../runtime/record.ts'

const INITIAL_BYTES = 4096
/** A long line makes the buffer grow; the next buffer is of common size again. */
const COMMON_BYTES = 512 * 1024
/** What a key costs in the map beside its bytes, roughly. */
const KEY_OVERHEAD_BYTES = 200
/** More than the longest line's fixed parts: two numbers and the names of four fields. */
const FRAME_BYTES = 160

const NULL_KEY = Buffer.from('"key":null,')
const VALUE = Buffer.from('"value":')
const BASE64 = Buffer.from('"base64":"')
const NULL_VALUE = Buffer.from('"value":null}\n')

/**
 * Writes records as JSON lines into one growing buffer:
 * `{"offset":7,"timestamp":1723161255342,"key":"BTCUSDT","value":{…}}`.
 *
 * A value that is one strict JSON object on one line is kept verbatim; any other goes into `"base64"`, and a null one is
 * `"value":null`. A key that is not UTF-8 goes into `"key_base64"`. So every line is valid JSON and no byte is lost.
 */
export class LineBuffer {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #length = 0
  /** The key's field as it is written, by the key's bytes read as Latin-1, which names any bytes exactly. */
  readonly #keyFields = new Map<string, Buffer>()
  readonly #keys: string[] = []
  #keyBytes = 0

  /** How many bytes were written since the last `take`. */
  get length(): number {
    return this.#length
  }

  get heldBytes(): number {
    return this.#buffer.length + this.#keyBytes
  }

  /** The keys that were met and are text, in code unit order. */
  keys(): string[] {
    return [...this.#keys].sort()
  }

  /** Writes the record's line and says how long it is. */
  append(record: RecordView): number {
    const start = this.#length
    const keyField = this.#keyField(record)
    this.#ensure(FRAME_BYTES + keyField.length + Math.ceil(Math.max(0, record.valueLength) / 3) * 4)
    const buffer = this.#buffer
    let at = start + buffer.write(`{"offset":${record.offset},"timestamp":${record.timestamp},`, start, 'latin1')
    at += keyField.copy(buffer, at)
    at = writeValue(buffer, at, record)
    this.#length = at
    return at - start
  }

  /** What was written since the last take. The bytes are the caller's for good. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length)
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(this.#buffer.length, COMMON_BYTES))
    this.#length = 0
    return taken
  }

  #keyField(record: RecordView): Buffer {
    if (record.keyLength < 0) return NULL_KEY
    const name = record.buffer.toString('latin1', record.keyStart, record.keyStart + record.keyLength)
    const known = this.#keyFields.get(name)
    if (known !== undefined) return known
    const bytes = record.buffer.subarray(record.keyStart, record.keyStart + record.keyLength)
    const isText = isUtf8(bytes)
    if (isText) this.#keys.push(bytes.toString('utf8'))
    const field = isText
      ? `"key":${JSON.stringify(bytes.toString('utf8'))},`
      : `"key_base64":"${bytes.toString('base64')}",`
    const encoded = Buffer.from(field)
    this.#keyFields.set(name, encoded)
    this.#keyBytes += 2 * bytes.length + encoded.length + KEY_OVERHEAD_BYTES
    return encoded
  }

  #ensure(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    let size = this.#buffer.length * 2
    while (size < needed) size *= 2
    const grown = Buffer.allocUnsafeSlow(size)
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

function writeValue(buffer: Buffer, start: number, record: RecordView): number {
  if (record.valueLength < 0) return start + NULL_VALUE.copy(buffer, start)
  const { valueStart, valueLength } = record
  let at = start
  if (isJsonObject(record.buffer, valueStart, valueStart + valueLength)) {
    at += VALUE.copy(buffer, at)
    at += record.buffer.copy(buffer, at, valueStart, valueStart + valueLength)
  } else {
    at += BASE64.copy(buffer, at)
    at += buffer.write(record.buffer.toString('base64', valueStart, valueStart + valueLength), at, 'latin1')
    buffer[at++] = 0x22
  }
  buffer[at++] = 0x7d
  buffer[at++] = 0x0a
  return at
}
