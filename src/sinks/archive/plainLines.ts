import type { RecordColumns } from '../../runtime/log/recordColumns.ts'

const NEWLINE = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const ZERO = 0x30
const BACKSLASH = 0x5c
const BRACE_END = 0x7d

/** Four bytes of a text as one number. */
const word = (text: string, at: number) => Buffer.from(text, 'latin1').readInt32LE(at)
const offsetText = '{"offset":'
const [OFFSET_0, OFFSET_4, OFFSET_6] = [word(offsetText, 0), word(offsetText, 4), word(offsetText, 6)]
const timestampText = ',"timestamp":'
const [TIME_0, TIME_4, TIME_8, TIME_9] = [
  word(timestampText, 0),
  word(timestampText, 4),
  word(timestampText, 8),
  word(timestampText, 9),
]
const keyText = ',"key":'
const [KEY_0, KEY_3] = [word(keyText, 0), word(keyText, 3)]
const valueText = ',"value":'
const [VALUE_0, VALUE_4, VALUE_5] = [word(valueText, 0), word(valueText, 4), word(valueText, 5)]
const NULL = word('null', 0)

/** What stands in every line but for its key and value, and more than that: so much of it is looked at before its end is known. */
const headBytes = 96
/** Lines mostly have one of a few lengths, as prices of one symbol have the same digits. */
const lengthsKnown = 4

/**
 * Reads lines of the archive into columns, many in a call, as long as they are plain: a key that stands there as it is or is null, no headers, and a value that is no base64. Stops before the first line that is not, of
 * which it says nothing.
 */
export class PlainLines {
  /** Begins with a line; stays unchanged while its lines are read. */
  #bytes: Buffer = Buffer.alloc(0)
  #view = new DataView(this.#bytes.buffer)
  /** Where the next line starts. */
  at = 0
  readonly #lengths = new Int32Array(lengthsKnown)
  #nextLength = 0
  /** What `#head` has read. */
  #offset = 0
  /** Where the head of the line ends that follows the one whose end was foretold. */
  #headAt = -1

  load(bytes: Buffer): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.at = 0
  }

  /** Gives how many lines were read: those before the offset, which are passed over, are among them. */
  read(columns: RecordColumns, fromOffset: number): number {
    const bytes = this.#bytes
    if (columns.count > 0 && columns.buffer !== bytes) return 0
    const view = this.#view
    const {
      offsets,
      timestamps,
      keyStarts,
      keyLengths,
      valueStarts,
      valueLengths,
      headersStarts,
      headersLengths,
      most,
    } = columns
    const lastHead = bytes.length - headBytes
    let { count } = columns
    let lines = 0
    let start = this.at
    let place = start <= lastHead ? this.#head(start) : -1
    while (count < most && place > 0) {
      const offset = this.#offset
      if (
        view.getInt32(place, true) !== TIME_0 ||
        view.getInt32(place + 4, true) !== TIME_4 ||
        view.getInt32(place + 8, true) !== TIME_8 ||
        view.getInt32(place + 9, true) !== TIME_9
      )
        break
      place += timestampText.length
      const timeAt = place
      let high = 0
      let digit = (bytes[place] as number) - ZERO
      for (const middle = place + 9; digit >= 0 && digit <= 9 && place < middle; ) {
        high = (high * 10 + digit) | 0
        place += 1
        digit = (bytes[place] as number) - ZERO
      }
      let low = 0
      let scale = 1
      for (const last = timeAt + 15; digit >= 0 && digit <= 9 && place < last; ) {
        low = (low * 10 + digit) | 0
        scale = (scale * 10) | 0
        place += 1
        digit = (bytes[place] as number) - ZERO
      }
      if (place === timeAt || view.getInt32(place, true) !== KEY_0 || view.getInt32(place + 3, true) !== KEY_3) break
      place += keyText.length
      let keyStart = 0
      let keyLength = -1
      if (bytes[place] === QUOTE) {
        keyStart = place + 1
        place = keyStart
        const lastKey = start + headBytes - valueText.length - 1
        for (let byte = bytes[place]; byte !== QUOTE && byte !== BACKSLASH && place < lastKey; byte = bytes[place])
          place += 1
        if (bytes[place] !== QUOTE) break
        keyLength = place - keyStart
        place += 1
      } else if (view.getInt32(place, true) === NULL) place += 4
      else break
      if (
        view.getInt32(place, true) !== VALUE_0 ||
        view.getInt32(place + 4, true) !== VALUE_4 ||
        view.getInt32(place + 5, true) !== VALUE_5
      )
        break
      const valueStart = place + valueText.length
      let end = this.#foretold(start, valueStart, offset + 1)
      // Where the end was foretold, the head of the next line has been read.
      let next = this.#headAt
      if (end < 0) {
        end = bytes.indexOf(NEWLINE, valueStart)
        if (end < 0) break
        this.#lengths[this.#nextLength] = end - start
        this.#nextLength = (this.#nextLength + 1) % lengthsKnown
        next = end < lastHead ? this.#head(end + 1) : -1
      }
      const valueLength = end - 1 - valueStart
      if (valueLength < 1 || bytes[end - 1] !== BRACE_END) break
      if (offset >= fromOffset) {
        offsets[count] = offset
        timestamps[count] = high * scale + low
        keyStarts[count] = keyStart
        keyLengths[count] = keyLength
        valueStarts[count] = valueStart
        valueLengths[count] = valueLength === 4 && view.getInt32(valueStart, true) === NULL ? -1 : valueLength
        headersStarts[count] = 0
        headersLengths[count] = 0
        count += 1
      }
      lines += 1
      start = end + 1
      place = next
    }
    this.at = start
    if (count > columns.count) columns.buffer = bytes
    columns.count = count
    return lines
  }

  /**
   * Where the line ends, if it is as long as one of those before it, which is faster than to look at every byte of it; -1 where that cannot be said. Offsets grow from line to line, so where the next offset follows, no
   * record is between. What a line holds has no newline in it, which is not looked at again: objects are held to their SHA-256.
   */
  #foretold(start: number, valueStart: number, nextOffset: number): number {
    const bytes = this.#bytes
    const lengths = this.#lengths
    const last = bytes.length - headBytes
    for (let i = 0; i < lengthsKnown; i++) {
      const end = start + (lengths[i] as number)
      if (end >= last || end <= valueStart || bytes[end] !== NEWLINE || bytes[end - 1] !== BRACE_END) continue
      const place = this.#head(end + 1)
      if (place < 0 || this.#offset !== nextOffset) continue
      this.#headAt = place
      return end
    }
    return -1
  }

  /** Reads the offset of the line that starts there, and gives the place behind it; -1 where it is no plain one. */
  #head(start: number): number {
    const bytes = this.#bytes
    const view = this.#view
    if (
      view.getInt32(start, true) !== OFFSET_0 ||
      view.getInt32(start + 4, true) !== OFFSET_4 ||
      view.getInt32(start + 6, true) !== OFFSET_6
    )
      return -1
    const first = start + offsetText.length
    let place = first
    let offset = 0
    let digit = (bytes[place] as number) - ZERO
    for (const last = first + 15; digit >= 0 && digit <= 9 && place < last; ) {
      offset = offset * 10 + digit
      place += 1
      digit = (bytes[place] as number) - ZERO
    }
    if (place === first || bytes[place] !== COMMA) return -1
    this.#offset = offset
    return place
  }
}
