/** A call into the runtime costs as much as copying this many bytes in a loop. */
const FEW_BYTES = 64
const ZERO = 0x30
const HUNDRED_MILLION = 100_000_000

/** What the numbers from 0 to 9,999 are in four digits, as a word whose first byte is the first digit. */
const fourDigits = Int32Array.from({ length: 10_000 }, (_, value) =>
  Buffer.from(String(value).padStart(4, '0')).readInt32LE(),
)

/** Of the same bytes. */
export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length)
}

/**
 * Copies a text of UTF-8 of eight bytes or more. Up to a few hundred bytes that takes less than a call into the runtime. It goes as doubles, none of which is NaN, whose bits could change on the way: that would need a byte
 * of 0xf0 or above before one of 0x7f or 0xff.
 */
export function copyText(source: DataView, start: number, target: DataView, at: number, length: number): void {
  const last = length - 8
  for (let i = 0; i < last; i += 8) target.setFloat64(at + i, source.getFloat64(start + i, true), true)
  target.setFloat64(at + last, source.getFloat64(start + last, true), true)
}

/** Whether these bytes are those of the text. */
export function isSame(text: DataView, bytes: DataView, start: number, length: number): boolean {
  if (text.byteLength !== length) return false
  const last = length - 4
  if (last < 0) {
    for (let i = 0; i < length; i++) if (text.getInt8(i) !== bytes.getInt8(start + i)) return false
    return true
  }
  for (let i = 0; i < last; i += 4) if (text.getInt32(i) !== bytes.getInt32(start + i)) return false
  return text.getInt32(last) === bytes.getInt32(start + last)
}

/** Text that is written again and again. */
export class FixedText {
  readonly bytes: Buffer
  /**
   * Of ASCII, and eight bytes or more: its bytes as doubles, at 0, 8, 16…, the last one ending with the text. None of them is NaN, whose bits could change on the way. Empty for any other text.
   */
  readonly doubles: Float64Array

  constructor(text: string | Buffer) {
    const bytes = Buffer.from(text as string)
    const isFit = bytes.length >= 8 && bytes.every((byte) => byte > 0 && byte < 0x7f)
    this.bytes = bytes
    this.doubles = Float64Array.from({ length: isFit ? Math.ceil(bytes.length / 8) : 0 }, (_, index) =>
      bytes.readDoubleLE(Math.min(8 * index, bytes.length - 8)),
    )
  }

  get length(): number {
    return this.bytes.length
  }
}

/** Copies the text to `target` at `at` and gives the position after it. `view` is of the same bytes. Fast for the few bytes that fields and names have. */
export function writeFixed({ bytes, doubles }: FixedText, target: Buffer, view: DataView, at: number): number {
  const { length } = bytes
  const last = doubles.length - 1
  if (last < 0) {
    if (length > FEW_BYTES) return at + bytes.copy(target, at)
    for (let i = 0; i < length; i++) target[at + i] = bytes[i] as number
    return at + length
  }
  for (let i = 0; i < last; i++) view.setFloat64(at + 8 * i, doubles[i] as number, true)
  view.setFloat64(at + length - 8, doubles[last] as number, true)
  return at + length
}

/**
 * Writes the number in decimal, as `String` does, and gives the position after it. `view` is of the same bytes as `target`. Makes no text of the common ones.
 */
export function writeInteger(value: number, target: Buffer, view: DataView, at: number): number {
  // Two halves of eight digits fit in 31 bits, whose division is cheap.
  if (!(value >= 0 && value < HUNDRED_MILLION * HUNDRED_MILLION && Number.isInteger(value))) {
    return at + target.write(String(value), at, 'latin1')
  }
  const high = Math.floor(value / HUNDRED_MILLION)
  const low = value - high * HUNDRED_MILLION
  if (high === 0) return writeDigits(low | 0, target, view, at)
  const middle = writeDigits(high | 0, target, view, at)
  const thousands = (low / 10_000) | 0
  view.setInt32(middle, fourDigits[thousands] as number, true)
  view.setInt32(middle + 4, fourDigits[(low | 0) - thousands * 10_000] as number, true)
  return middle + 8
}

/** Up to eight digits, without zeros before them. */
function writeDigits(value: number, target: Buffer, view: DataView, at: number): number {
  if (value < 10_000) return writeFewDigits(value, target, at)
  const thousands = (value / 10_000) | 0
  const behind = writeFewDigits(thousands, target, at)
  view.setInt32(behind, fourDigits[value - thousands * 10_000] as number, true)
  return behind + 4
}

/** Up to four. */
function writeFewDigits(value: number, target: Buffer, start: number): number {
  let at = start
  if (value >= 1_000) target[at++] = ZERO + ((value / 1_000) | 0)
  if (value >= 100) target[at++] = ZERO + (((value / 100) | 0) % 10)
  if (value >= 10) target[at++] = ZERO + (((value / 10) | 0) % 10)
  target[at] = ZERO + (value % 10)
  return at + 1
}
