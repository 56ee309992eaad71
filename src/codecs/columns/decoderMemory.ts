import type { FieldLayout, LayoutStep } from '../fieldLayout.ts'
import { latin1Text } from '../latin1.ts'
import type { LeafPlan } from '../schemaPlan.ts'
import { type Decoder, openDecoder } from './decoderModule.ts'

export const mostLayouts = 8
/** Bytes of frames that are in the memory at a time. */
export const inputBytes = 256 * 1024
/** Texts are resolved sixteen bytes at a time. */
const resolvedMargin = 64
/** What is fixed in a layout, and the longest texts that go with it: a decoder may look this far past the end of a frame before it notices. */
const margin = 128 * 1024
/** What the decoder keeps for itself: its constants. */
const ownBytes = 16_384
const closerBytes = 128
/** These are known to `assembly/columns.ts`. */
const layoutBytes = 131_072
const stepBytes = 64
const fixedAt = 65_536
const dictionaryTableAt = 64
const dictionaryTextsAt = dictionaryTableAt + 65_600
const dictionaryPlacesAt = dictionaryTextsAt + 16_384 * 16
const dictionaryStoreAt = dictionaryPlacesAt + 16_384 * 4
const dictionaryBytes = dictionaryStoreAt + 786_432
const mostTexts = 16_384
/** Stands in the last of sixteen bytes where a text lies elsewhere, for it has more. */
const longMark = 0xff
/** What a text of a dictionary takes at most that has more than fifteen bytes. */
const longestEntry = 72
/** Beyond what sixteen digits say. */
const notAnInt = 2n ** 62n
/** A schema with more is read by JavaScript. */
const mostBytes = 64 * 1024 * 1024
const kinds = { end: 0, int: 1, fixed8: 2, string: 3, boolean: 4, number: 5, skip: 6 }

/** The memory of one decoder: where frames, layouts, columns and dictionaries lie in it. Holds 1 to 2 MB a schema, most of which is only taken as it is used. */
export class DecoderMemory {
  readonly decoder: Decoder
  readonly bytes: Buffer
  readonly view: DataView
  readonly words: Int32Array
  readonly starts: Int32Array
  readonly lengths: Int32Array
  readonly layouts: Uint8Array
  /** By slot: empty for one that is a text. */
  readonly numbers: readonly Float64Array[]
  /** By slot: empty for one that is none. The number of a text in its dictionary; below zero, where it starts in the memory. */
  readonly codes: readonly Int32Array[]
  /** By slot: where texts end in the memory that are in no dictionary; below zero for one with escapes, of which it says that with all bits turned over. */
  readonly ends: readonly Int32Array[]
  /** By slot: where its dictionary begins; 0 for one that is no text. */
  readonly dictionaries: readonly number[]
  readonly inputAt: number
  readonly #resolvedAt: number
  readonly #program: number
  readonly #columns: readonly number[]

  /** Null where there is no WebAssembly, or the leaves want too much of it. */
  static of(leaves: readonly LeafPlan[], mostFrames: number): DecoderMemory | null {
    const places = new Places(leaves, mostFrames)
    if (places.end > mostBytes) return null
    const opened = openDecoder(places.end)
    return opened === null ? null : new DecoderMemory(leaves, places, mostFrames, opened.decoder, opened.memory)
  }

  private constructor(
    leaves: readonly LeafPlan[],
    places: Places,
    mostFrames: number,
    decoder: Decoder,
    memory: ArrayBuffer,
  ) {
    this.decoder = decoder
    this.bytes = Buffer.from(memory)
    this.view = new DataView(memory)
    this.words = new Int32Array(memory)
    this.starts = new Int32Array(memory, places.starts, mostFrames)
    this.lengths = new Int32Array(memory, places.lengths, mostFrames)
    this.layouts = new Uint8Array(memory, places.layouts, mostFrames)
    this.#columns = places.columns
    this.numbers = leaves.map(({ kind }, slot) =>
      kind === 'string' ? new Float64Array(0) : new Float64Array(memory, places.columns[slot], mostFrames),
    )
    this.codes = leaves.map(({ kind }, slot) =>
      kind === 'string' ? new Int32Array(memory, places.columns[slot], mostFrames) : new Int32Array(0),
    )
    this.ends = this.codes.map((codes) =>
      codes.length === 0 ? codes : new Int32Array(memory, codes.byteOffset + codes.byteLength, mostFrames),
    )
    this.dictionaries = places.dictionaries
    this.inputAt = places.input
    this.#resolvedAt = places.resolved
    this.#program = places.program
    decoder.starts.value = places.starts
    decoder.lengths.value = places.lengths
    decoder.layouts.value = places.layouts
    decoder.program.value = places.program
    decoder.closers.value = ownBytes
    decoder.textEnds.value = mostFrames * 4
    decoder.resolved.value = places.resolved
    decoder.prepare()
    for (const [slot, { kind }] of leaves.entries()) if (kind === 'string') this.#beginDictionary(slot)
  }

  /** Texts in the dictionary of the slot. */
  textCount(slot: number): number {
    return this.words[(this.dictionaries[slot] as number) >> 2] as number
  }

  /** Where the text of that number in the dictionary of the slot starts. */
  textStart(slot: number, number: number): number {
    const dictionary = this.dictionaries[slot] as number
    const start = dictionary + dictionaryTextsAt + number * 16
    if (this.bytes[start + 15] !== longMark) return start
    return (this.words[(dictionary + dictionaryPlacesAt + number * 4) >> 2] as number) + 8
  }

  /** Where the text of that number ends that starts there. */
  textEnd(start: number): number {
    return this.bytes.indexOf(0x22, start)
  }

  /** The text of a frame that is in no dictionary. */
  otherText(slot: number, frame: number): string {
    const start = ~((this.codes[slot] as Int32Array)[frame] as number)
    const end = (this.ends[slot] as Int32Array)[frame] as number
    if (end >= 0) return latin1Text(this.bytes, start, end)
    return latin1Text(this.bytes, this.#resolvedAt, this.decoder.resolve(start, ~end))
  }

  /** Whether the dictionary takes no text any more. */
  isFull(slot: number): boolean {
    const at = this.dictionaries[slot] as number
    const storeEnd = this.words[(at >> 2) + 1] as number
    return this.textCount(slot) === mostTexts || storeEnd + longestEntry > at + dictionaryBytes
  }

  /** Other frames come: what was written of those before is of no use any more. */
  begin(): void {
    this.decoder.oddNumbers.value = 0
    this.decoder.otherTexts.value = 0
  }

  /** Has the decoder ask the dictionary for nothing until it is cleared. */
  leaveAlone(slot: number): void {
    this.words[((this.dictionaries[slot] as number) >> 2) + 2] = 1
  }

  clearDictionary(slot: number): void {
    const at = this.dictionaries[slot] as number
    this.words.fill(0, (at + dictionaryTableAt) >> 2, (at + dictionaryTextsAt) >> 2)
    this.#beginDictionary(slot)
  }

  #beginDictionary(slot: number): void {
    const at = this.dictionaries[slot] as number
    this.words[at >> 2] = 0
    this.words[(at >> 2) + 1] = at + dictionaryStoreAt
    this.words[(at >> 2) + 2] = 0
  }

  /** Has the decoder read by the layout, as the one of that number. */
  writeLayout(number: number, { steps, doubles }: FieldLayout): void {
    const { bytes } = this
    const start = this.#program + number * layoutBytes
    let fixed = start + fixedAt
    let nextDouble = 0
    for (const [index, step] of steps.entries()) {
      const at = start + index * stepBytes
      bytes.fill(0, at, at + stepBytes)
      bytes.fill(0, fixed, fixed + roomOf(step))
      if (step.doubleCount === 0) {
        bytes.writeInt32LE(step.low, fixed)
        bytes.writeInt32LE(step.high, fixed + 4)
      }
      for (let double = 0; double < step.doubleCount; double += 1, nextDouble += 1) {
        bytes.writeDoubleLE(doubles[nextDouble] as number, fixed + Math.min(double * 8, step.length - 8))
      }
      this.#writeStep(at, step, fixed)
      fixed += roomOf(step)
    }
  }

  #writeStep(at: number, { kind, leaf, length, levels }: LayoutStep, fixed: number): void {
    const { bytes } = this
    bytes[at] = kinds[kind]
    bytes.writeUInt16LE(length, at + 2)
    bytes.writeUInt32LE(fixed, at + 4)
    bytes.writeUInt32LE(leaf === null ? 0 : (this.#columns[leaf.slot] as number), at + 8)
    bytes.writeUInt32LE(leaf === null ? levels : (this.dictionaries[leaf.slot] as number), at + 12)
    if (kind === 'string') bytes[at + 16] = leaf?.check == null ? 0 : 1
    else if (kind === 'int') this.#writeRange(at + 16, leaf?.min ?? 0, leaf?.max ?? 0)
    else {
      bytes.writeDoubleLE(leaf?.min ?? 0, at + 16)
      bytes.writeDoubleLE(leaf?.max ?? 0, at + 24)
    }
    bytes.copy(bytes, at + 32, fixed, fixed + 16)
    bytes.fill(0xff, at + 48, at + 48 + Math.min(16, length))
  }

  /** The least int, and how far above it the greatest is; where none is between them, what no int is in. */
  #writeRange(at: number, min: number, max: number): void {
    const least = BigInt(Math.ceil(min))
    const span = BigInt(Math.floor(max)) - least
    this.bytes.writeBigInt64LE(span < 0n ? notAnInt : least, at)
    this.bytes.writeBigInt64LE(span < 0n ? 0n : span, at + 8)
  }
}

function roomOf({ length }: LayoutStep): number {
  return Math.max(16, length)
}

/** Where what lies, in bytes. */
class Places {
  readonly starts = ownBytes + closerBytes
  readonly lengths: number
  readonly layouts: number
  readonly program: number
  readonly columns: number[] = []
  readonly dictionaries: number[] = []
  /** Of a text whose escapes are resolved. */
  readonly resolved: number
  readonly input: number
  readonly end: number

  constructor(leaves: readonly LeafPlan[], mostFrames: number) {
    this.lengths = this.starts + mostFrames * 4
    this.layouts = this.lengths + mostFrames * 4
    // What is made of words of eight bytes has to begin with one.
    this.program = Math.ceil((this.layouts + mostFrames) / 8) * 8
    let at = this.program + mostLayouts * layoutBytes
    for (const { kind } of leaves) {
      this.columns.push(at)
      at += mostFrames * 8
      // Texts of sixteen bytes lie in one line of the cache each.
      if (kind === 'string') at = Math.ceil(at / 64) * 64
      this.dictionaries.push(kind === 'string' ? at : 0)
      if (kind === 'string') at += dictionaryBytes
    }
    this.resolved = at
    this.input = at + inputBytes + resolvedMargin
    this.end = this.input + inputBytes + margin
  }
}
