import type { z } from 'zod'
import { type Fixed8, parseFixed8At } from '../exact/decimal.ts'
import { acceptBy } from './acceptBy.ts'
import { type FieldLayout, type LayoutStep, learnLayout } from './fieldLayout.ts'
import { jsonNumberEnd, jsonStringEnd, jsonValueEnd } from './jsonText.ts'
import { type LeafPlan, type ObjectPlan, planOf, type SchemaPlan } from './schemaPlan.ts'
import { slotOf } from './slotOf.ts'
import { StringPool } from './stringPool.ts'

const quote = 0x22
/** The text `true`. */
const trueWord = 0x6575_7274
/** The text `0000`. */
const zeroDigits = 0x3030_3030
/** Up to so many digits a number and a power of ten are exact doubles, and so is, once rounded, their quotient. */
const maxExactDigits = 15
const powersOfTen = Float64Array.from({ length: maxExactDigits + 1 }, (_, index) => Number(`1e${index}`))
const maxLayouts = 8
/** Learning an order takes longer than the interpreter takes for a frame: where none comes again it is tried once in so many frames. */
const lessonPrice = 16
/** What a frame adds towards the next lesson, if it was read by an order that was learnt; one that was not adds 1. */
const knownWorth = 2
/** All that may be saved up, for so many orders to be learnt one after the other. */
const mostSaved = 128 * lessonPrice
/** A layout may look this far past the end of a frame before it notices. */
const margin = 64
/** Frames up to this length are copied where nothing follows them in their buffer. */
const copiedBytes = 4096

/**
 * Reads frames of one zod schema in place, without JSON text and without zod. What it has read is what `schema.parse(JSON.parse(text))`
 * would give, and one JSON object by the rules of `isJsonObject`; where it does not know, the interpreter must be asked.
 *
 * The values are asked for by slot, which every field that is no literal has: objects with properties of their own would look different to the
 * compiler for each reader. Learns up to eight orders of the fields from the frames themselves. Keeps the newest buffer until the next read.
 */
export class SchemaReader {
  /** Why nothing can be read in place, or null. */
  readonly unsupported: string | null
  private readonly plan: SchemaPlan | null
  private readonly layouts: FieldLayout[] = []
  private nextLayout = 0
  /** What frames have added towards lessons. */
  private saved = mostSaved
  private layout: FieldLayout | null = null
  private buffer: Buffer = Buffer.alloc(0)
  private view: DataView = new DataView(new ArrayBuffer(0))
  private readonly roomy = Buffer.alloc(copiedBytes + margin)
  private readonly roomyView = new DataView(this.roomy.buffer, this.roomy.byteOffset, this.roomy.length)
  private readonly pools: (StringPool | null)[]
  private readonly numbers: Float64Array
  /** By slot: the first eight digits of the newest int, as two words, and what they are worth. */
  private readonly prefixWords: Int32Array
  private readonly prefixes: Float64Array
  private readonly wides: bigint[]
  private readonly texts: string[]

  constructor(schema: z.ZodType) {
    const plan = planOf(schema)
    this.unsupported = typeof plan === 'string' ? plan : null
    this.plan = typeof plan === 'string' ? null : plan
    const leaves = this.plan?.leaves ?? []
    this.pools = leaves.map((leaf) => (leaf.kind === 'string' ? new StringPool(acceptBy(leaf.check)) : null))
    this.numbers = new Float64Array(leaves.length)
    this.prefixWords = new Int32Array(leaves.length * 2).fill(zeroDigits)
    this.prefixes = new Float64Array(leaves.length)
    this.wides = leaves.map(() => 0n)
    this.texts = leaves.map(() => '')
  }

  /** What is read of a frame; null where nothing can be read in place. */
  get root(): ObjectPlan | null {
    return this.plan?.root ?? null
  }

  /** All values that are read of a frame, by their slots. */
  get leaves(): readonly LeafPlan[] {
    return this.plan?.leaves ?? []
  }

  /** The order of the fields of the newest frame. */
  get present(): FieldLayout | null {
    return this.layout
  }

  /** The slot of a field, by its path (`data.p`). Throws RangeError where there is none. */
  slot(path: string): number {
    return slotOf(this.plan, path)
  }

  /** Whether the newest frame had the optional field. */
  has(slot: number): boolean {
    return this.layout?.has[slot] === true
  }

  /** Whether the newest frame had `null` in the field's place. */
  isNull(slot: number): boolean {
    return this.layout?.nulls[slot] === true
  }

  /** An int or any other number. */
  number(slot: number): number {
    return this.numbers[slot] as number
  }

  boolean(slot: number): boolean {
    return this.numbers[slot] === 1
  }

  fixed8(slot: number): Fixed8 {
    const value = this.numbers[slot] as number
    return Number.isNaN(value) ? (this.wides[slot] as bigint) : (value as Fixed8)
  }

  text(slot: number): string {
    return this.texts[slot] as string
  }

  /** What one of the above says, by the kind of the leaf. */
  value({ kind, slot }: LeafPlan): string | Fixed8 | number | boolean {
    if (kind === 'string') return this.text(slot)
    if (kind === 'boolean') return this.boolean(slot)
    return kind === 'fixed8' ? this.fixed8(slot) : this.number(slot)
  }

  /** Reads the frame at `[start, end)`, if its fields come in an order that was seen before; then the slots hold it until the next read. Never throws. */
  readKnown(buffer: Buffer, start: number, end: number): boolean {
    const shift = this.bind(buffer, start, end)
    if (shift < 0) return false
    for (let index = 0; index < this.layouts.length; index += 1) {
      const layout = this.layouts[index] as FieldLayout
      if (this.readBy(layout, start - shift, end - shift)) {
        this.layout = layout
        if (this.saved < mostSaved) this.saved += knownWorth
        return true
      }
    }
    if (this.saved < mostSaved) this.saved += 1
    return false
  }

  /** The same for a frame whose order of fields is new; remembers the order. Does so less often where that was of little use. */
  learn(buffer: Buffer, start: number, end: number): boolean {
    if (this.plan === null || end <= start || this.saved < lessonPrice) return false
    this.saved -= lessonPrice
    const shift = this.bind(buffer, start, end)
    if (shift < 0) return false
    const layout = learnLayout(this.plan, this.buffer, start - shift, end - shift)
    if (layout === null || !this.readBy(layout, start - shift, end - shift)) return false
    this.layouts[this.nextLayout] = layout
    this.nextLayout = (this.nextLayout + 1) % maxLayouts
    this.layout = layout
    return true
  }

  /**
   * Makes `buffer` the one to read from, with room after the frame; a frame at its very end is copied.
   * Gives what to subtract from positions, or -1 for a frame too long to be copied.
   */
  private bind(buffer: Buffer, start: number, end: number): number {
    if (end + margin <= buffer.length) {
      if (buffer !== this.buffer) {
        this.buffer = buffer
        this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
      }
      return 0
    }
    if (end - start > copiedBytes) return -1
    buffer.copy(this.roomy, 0, start, end)
    this.buffer = this.roomy
    this.view = this.roomyView
    return start
  }

  private readBy(layout: FieldLayout, start: number, end: number): boolean {
    const { view } = this
    const { steps, doubles } = layout
    let at = start
    let next = 0
    for (let index = 0; index < steps.length; index += 1) {
      const step = steps[index] as LayoutStep
      const { length, doubleCount } = step
      const fixedEnd = at + length
      if (fixedEnd > end) return false
      if (doubleCount > 0) {
        for (const stop = next + doubleCount - 1; next < stop; next += 1, at += 8) {
          if (view.getFloat64(at, true) !== doubles[next]) return false
        }
        if (view.getFloat64(fixedEnd - 8, true) !== doubles[next]) return false
        next += 1
      } else if (
        ((view.getInt32(at, true) ^ step.low) & step.lowMask) !== 0 ||
        ((view.getInt32(at + 4, true) ^ step.high) & step.highMask) !== 0
      ) {
        return false
      }
      at = fixedEnd
      switch (step.kind) {
        case 'int':
          at = this.readInt(step.leaf as LeafPlan, view, at)
          break
        case 'fixed8':
          at = this.readFixed8(step.leaf as LeafPlan, view, at, end)
          break
        case 'string':
          at = this.readString(step.leaf as LeafPlan, view, at, end)
          break
        case 'boolean':
          at = this.readBoolean(step.leaf as LeafPlan, view, at)
          break
        case 'skip':
          at = this.skip(step, view, at, end)
          break
        case 'end':
          return at === end
        case 'number':
          at = this.readNumber(step.leaf as LeafPlan, view, at, end)
          break
      }
      if (at < 0) {
        if (step.kind !== 'int') return false
        at = this.readUnusualNumber(step.leaf as LeafPlan, ~at, end)
        if (at < 0) return false
      }
    }
    return false
  }

  /** Where the value ends that nobody asks for, or -1. */
  private skip(step: LayoutStep, view: DataView, start: number, end: number): number {
    const first = view.getInt32(start, true)
    if (first === trueWord) return start + 4
    if ((first & 0xff) !== quote) return jsonValueEnd(this.buffer, start, end, step.levels)
    let at = start + 1
    for (; at + 4 <= end; at += 4) if (hasUnusualByte(view.getInt32(at, true))) break
    // What is before is in order; the rest is looked at byte by byte.
    return jsonStringEnd(this.buffer, at - 1, end)
  }

  /** Where the int ends, or `~start` for one that `readUnusualNumber` has to look at. */
  private readInt(leaf: LeafPlan, view: DataView, start: number): number {
    const { prefixWords, prefixes } = this
    const { slot } = leaf
    let at = start
    let value = 0
    const first = view.getInt32(at, true)
    const second = view.getInt32(at + 4, true)
    // Times and ids of neighbours begin alike.
    if (first === prefixWords[2 * slot] && second === prefixWords[2 * slot + 1]) {
      value = prefixes[slot] as number
      at += 8
    } else {
      const high = fourDigits(first)
      const low = fourDigits(second)
      if (high >= 0 && low >= 0) {
        value = high * 10_000 + low
        prefixWords[2 * slot] = first
        prefixWords[2 * slot + 1] = second
        prefixes[slot] = value
        at += 8
      }
    }
    for (let digits = fourDigits(view.getInt32(at, true)); digits >= 0; digits = fourDigits(view.getInt32(at, true))) {
      value = value * 10_000 + digits
      at += 4
      if (at - start > 16) return ~start
    }
    for (let digit = view.getUint8(at) - 0x30; digit >= 0 && digit <= 9; digit = view.getUint8(at) - 0x30) {
      value = value * 10 + digit
      at += 1
    }
    const length = at - start
    if (length === 0 || length > 16 || (length > 1 && view.getUint8(start) === 0x30)) return ~start
    if (value < leaf.min || value > leaf.max) return ~start
    this.numbers[slot] = value
    return at
  }

  private readNumber(leaf: LeafPlan, view: DataView, start: number, end: number): number {
    const isNegative = view.getUint8(start) === 0x2d
    const first = isNegative ? start + 1 : start
    let at = first
    let digits = 0
    let point = -1
    for (; at - first <= maxExactDigits; at += 1) {
      const byte = view.getUint8(at)
      if (byte === 0x2e && point < 0) point = at
      else if (byte >= 0x30 && byte <= 0x39) digits = digits * 10 + byte - 0x30
      else break
    }
    const integerEnd = point < 0 ? at : point
    const isUsual =
      at - first <= maxExactDigits &&
      integerEnd > first &&
      at !== point + 1 &&
      (integerEnd === first + 1 || view.getUint8(first) !== 0x30) &&
      (view.getUint8(at) | 0x20) !== 0x65
    if (!isUsual) return this.readUnusualNumber(leaf, start, end)
    const size = point < 0 ? digits : digits / (powersOfTen[at - point - 1] as number)
    const value = isNegative ? -size : size
    if (value < leaf.min || value > leaf.max) return -1
    this.numbers[leaf.slot] = value
    return at
  }

  private readUnusualNumber(leaf: LeafPlan, start: number, end: number): number {
    const at = jsonNumberEnd(this.buffer, start, end)
    if (at < 0) return -1
    const value = Number(this.buffer.toString('latin1', start, at))
    if (value < leaf.min || value > leaf.max || (leaf.kind === 'int' && !Number.isSafeInteger(value))) return -1
    this.numbers[leaf.slot] = value
    return at
  }

  private readFixed8(leaf: LeafPlan, view: DataView, start: number, end: number): number {
    let at = start
    let integer = 0
    for (
      let digit = view.getUint8(at) - 0x30;
      digit >= 0 && digit <= 9 && at - start < 8;
      digit = view.getUint8(at) - 0x30
    ) {
      integer = (integer * 10 + digit) | 0
      at += 1
    }
    // The usual text: up to seven digits, so that no sum below reaches 2^53, the point and exactly eight digits.
    const isUsual = at - start < 8 && at > start && (at === start + 1 || view.getUint8(start) !== 0x30)
    if (isUsual && view.getUint8(at) === 0x2e) {
      const high = fourDigits(view.getInt32(at + 1, true))
      const low = fourDigits(view.getInt32(at + 5, true))
      if (high >= 0 && low >= 0 && view.getUint8(at + 9) === quote) {
        this.numbers[leaf.slot] = integer * 100_000_000 + high * 10_000 + low
        return at + 9
      }
    }
    return this.readUnusualFixed8(leaf, start, end)
  }

  private readUnusualFixed8(leaf: LeafPlan, start: number, end: number): number {
    const { buffer } = this
    let at = start
    while (at < end && buffer[at] !== quote) at += 1
    const value = parseFixed8At(buffer, start, at)
    if (value === null) return -1
    if (typeof value === 'bigint') {
      this.numbers[leaf.slot] = Number.NaN
      this.wides[leaf.slot] = value
    } else this.numbers[leaf.slot] = value
    return at
  }

  private readString(leaf: LeafPlan, view: DataView, start: number, end: number): number {
    const pool = this.pools[leaf.slot] as StringPool
    const stop = pool.read(this.buffer, view, start, end)
    this.texts[leaf.slot] = pool.text
    return stop
  }

  private readBoolean(leaf: LeafPlan, view: DataView, at: number): number {
    const word = view.getInt32(at, true)
    if (word === trueWord) {
      this.numbers[leaf.slot] = 1
      return at + 4
    }
    this.numbers[leaf.slot] = 0
    return word === 0x736c6166 && view.getUint8(at + 4) === 0x65 ? at + 5 : -1
  }
}

/** False where all four bytes are printable ASCII, and neither a quote nor a backslash. */
function hasUnusualByte(word: number): boolean {
  const fromQuote = word ^ 0x2222_2222
  const fromBackslash = word ^ 0x5c5c_5c5c
  const marks =
    ((fromQuote - 0x0101_0101) & ~fromQuote) |
    ((fromBackslash - 0x0101_0101) & ~fromBackslash) |
    ((word - 0x2020_2020) & ~word) |
    word
  return (marks & 0x8080_8080) !== 0
}

/** The number that four bytes of ASCII digits write, or -1. */
function fourDigits(word: number): number {
  const bytes = word ^ 0x3030_3030
  // Adding 0x76 sets the high bit of every byte above nine.
  if (((bytes | (bytes + 0x7676_7676)) & 0x8080_8080) !== 0) return -1
  const pairs = (Math.imul(bytes, 10) + (bytes >>> 8)) & 0x00ff_00ff
  return (Math.imul(pairs, 100) + (pairs >>> 16)) & 0xffff
}
