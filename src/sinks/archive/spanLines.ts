import { type WasmCell, WasmFile } from '../../codecs/wasmFile.ts'
import type { ReadAhead } from '../../runtime/log/readAhead.ts'
import { viewOf } from './ascii.ts'
import type { KeyFields } from './keyFields.ts'

/** Fewer records are written one by one: what a call takes would be more. */
const fewestRecords = 8
/** These are known to `assembly/lines.ts`. */
const mostRows = 512
const longestKey = 40
const longestField = 80
const slotBytes = 128
const inputBytes = 262_144
const offsetsAt = 4096
const timestampsAt = offsetsAt + mostRows * 8
const keyStartsAt = timestampsAt + mostRows * 8
const keyLengthsAt = keyStartsAt + mostRows * 4
const valueStartsAt = keyLengthsAt + mostRows * 4
const valueLengthsAt = valueStartsAt + mostRows * 4
const headersLengthsAt = valueLengthsAt + mostRows * 4
const noKeyAt = headersLengthsAt + mostRows * 4
const inputAt = 65_536 + 4096 * slotBytes
const outputAt = inputAt + inputBytes + 64
const memoryBytes = outputAt + 327_680
const noKey = Buffer.from(',"key":null,"value":')

/** What `assembly/lines.ts` exports. */
interface Lines {
  readonly inputEnd: WasmCell
  readonly owner: WasmCell
  readonly written: WasmCell
  readonly missing: WasmCell
  prepare(): void
  write(from: number, to: number, shift: number, enough: number, hourEnd: number): number
}

const file = new WasmFile('sinks/archive/lines.wasm', 'lines.ts')
let opened: SpanLines | null | undefined

/** The one of the process; null where there is no WebAssembly to be had. Throws as `WasmFile.open` does. */
export function spanLines(): SpanLines | null {
  if (opened === undefined) opened = open()
  return opened
}

function open(): SpanLines | null {
  const found = file.open(memoryBytes)
  return found && new SpanLines(found.exports as Lines, found.memory)
}

/**
 * Writes lines of records that were read ahead, hundreds in a call, by WebAssembly: those with a value of up to 16 KiB that stands there as it is, a time, and no headers. Each needs its key's field, which is
 * there for as many as 4,096 keys, and otherwise asked of the `KeyFields`.
 *
 * Holds 1.2 MB for the process, of which most is only taken as it is used.
 */
class SpanLines {
  readonly #lines: Lines
  readonly #bytes: Buffer
  readonly #offsets: Float64Array
  readonly #timestamps: Float64Array
  readonly #keyStarts: Int32Array
  readonly #keyLengths: Int32Array
  readonly #valueStarts: Int32Array
  readonly #valueLengths: Int32Array
  readonly #headersLengths: Int32Array
  /** The records whose places and bytes are in the memory. */
  #filling = 0
  #from = 0
  #to = 0
  #shift = 0

  constructor(lines: Lines, memory: ArrayBuffer) {
    this.#lines = lines
    this.#bytes = Buffer.from(memory)
    const ints = (at: number) => new Int32Array(memory, at, mostRows)
    this.#offsets = new Float64Array(memory, offsetsAt, mostRows)
    this.#timestamps = new Float64Array(memory, timestampsAt, mostRows)
    this.#keyStarts = ints(keyStartsAt)
    this.#keyLengths = ints(keyLengthsAt)
    this.#valueStarts = ints(valueStartsAt)
    this.#valueLengths = ints(valueLengthsAt)
    this.#headersLengths = ints(headersLengthsAt)
    this.#writeField(noKeyAt, 0, noKey)
    lines.prepare()
  }

  /**
   * Writes the lines of records from the one at hand up to the one before `end`, whose values must be strict JSON objects on one line, and says how many; they are for `copyTo` then. Ends with the line that makes them
   * `enough` bytes, before the first record of `hourEnd` or later, and before one that it does not know.
   */
  write(records: ReadAhead, end: number, enough: number, hourEnd: number, fields: KeyFields): number {
    const { at } = records
    if (!this.#has(records) && !this.#load(records, end)) return 0
    const { owner, written, missing } = this.#lines
    owner.value = fields.number
    written.value = 0
    const to = Math.min(end, this.#to) - this.#from
    let row = at - this.#from
    do {
      row = this.#lines.write(row, to, this.#shift, enough, hourEnd)
    } while (missing.value !== 0 && this.#learn(records, this.#from + row, missing.value, fields))
    return this.#from + row - at
  }

  /** How many bytes of lines there are. */
  get length(): number {
    return this.#lines.written.value
  }

  /** Copies the lines that were written last, and gives the place behind them. */
  copyTo(target: Buffer, at: number): number {
    return at + this.#bytes.copy(target, at, outputAt, outputAt + this.length)
  }

  #has({ filling, at }: ReadAhead): boolean {
    return filling !== 0 && filling === this.#filling && at >= this.#from && at < this.#to
  }

  /** Copies places and bytes of the records from the one at hand on, as many as have room; false where that would not pay. */
  #load(records: ReadAhead, end: number): boolean {
    const { at } = records
    const first = startOf(records, at)
    let to = Math.min(end, at + mostRows)
    while (to - at >= fewestRecords && !isWithin(first, endOf(records, to - 1))) to = at + ((to - at) >> 1)
    if (to - at < fewestRecords) return false
    this.#offsets.set(records.offsets.subarray(at, to))
    this.#timestamps.set(records.timestamps.subarray(at, to))
    this.#keyStarts.set(records.keyStarts.subarray(at, to))
    this.#keyLengths.set(records.keyLengths.subarray(at, to))
    this.#valueStarts.set(records.valueStarts.subarray(at, to))
    this.#valueLengths.set(records.valueLengths.subarray(at, to))
    this.#headersLengths.set(records.headersLengths.subarray(at, to))
    const copied = records.buffer.copy(this.#bytes, inputAt, first, endOf(records, to - 1))
    this.#lines.inputEnd.value = inputAt + copied
    this.#shift = inputAt - first
    this.#filling = records.filling
    this.#from = at
    this.#to = to
    return true
  }

  /** Puts the field of the record's key into that slot; false where it has no room there. */
  #learn({ buffer, keyStarts, keyLengths }: ReadAhead, at: number, slot: number, fields: KeyFields): boolean {
    const start = keyStarts[at] as number
    const length = keyLengths[at] as number
    const field = fields.of(buffer, viewOf(buffer), start, length).beforeValue
    if (field.length > longestField) return false
    this.#bytes.writeInt32LE(fields.number, slot)
    this.#bytes.fill(0, slot + 8, slot + 8 + longestKey)
    buffer.copy(this.#bytes, slot + 8, start, start + length)
    this.#writeField(slot, length, field)
    return true
  }

  #writeField(slot: number, keyLength: number, field: Buffer): void {
    this.#bytes.writeUInt16LE(keyLength, slot + 4)
    this.#bytes.writeUInt16LE(field.length, slot + 6)
    field.copy(this.#bytes, slot + 8 + longestKey)
  }
}

function isWithin(first: number, end: number): boolean {
  return end >= first && end - first <= inputBytes
}

function startOf({ keyStarts, keyLengths, valueStarts }: ReadAhead, at: number): number {
  return ((keyLengths[at] as number) > 0 ? keyStarts[at] : valueStarts[at]) as number
}

function endOf({ valueStarts, valueLengths }: ReadAhead, at: number): number {
  return (valueStarts[at] as number) + Math.max(0, valueLengths[at] as number)
}
