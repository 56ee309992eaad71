import type { RecordColumns } from '../../runtime/log/recordColumns.ts'

/** Without these, numbers of one byte are read to the end of the bytes without looking for it: a record has seven of them behind its length. */
const spareBytes = 32
/** What four bytes of a varint add to a time, at most; a time that is so far from the safe integers needs no look at each sum. */
const mostDelta = 2 ** 28

/** A batch whose records are read: where they lie, what is left of them, and what their numbers count from. */
export class OpenBatch {
  /** What the records lie in: the bytes of the batch, or what was decompressed from them. */
  bytes: Buffer = Buffer.alloc(0)
  /** Where the next record starts, and where the last one has to end. */
  at = 0
  end = 0
  /** Records. */
  remaining = 0
  baseOffset = 0
  lastOffsetDelta = 0
  previousDelta = -1
  baseTimestamp = 0
  /** Whether all records have the base timestamp. */
  fixedTimestamp = false

  /**
   * Adds the next records to the columns, from `startOffset` up to, not including, `endOffset`: as many as are plain, which have no headers and numbers of few bytes, and break no rule. Stops before the first that is
   * not, of which it says nothing.
   */
  readPlain(columns: RecordColumns, startOffset: number, endOffset: number): void {
    const { bytes, baseOffset, lastOffsetDelta, baseTimestamp, fixedTimestamp } = this
    if (Math.abs(baseTimestamp) > Number.MAX_SAFE_INTEGER - mostDelta) return
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
    const lastStart = Math.min(this.end, bytes.length - spareBytes)
    let { at, previousDelta, remaining } = this
    let { count } = columns
    while (count < most && remaining > 0 && at < lastStart) {
      let place = at
      // A byte of 0x80 or more says that another one follows, whose place in the number is seven bits further: left in, it shows as that number being too large.
      let length = bytes[place++] as number
      if (length > 0x7f) length = (length & 0x7f) | ((bytes[place++] as number) << 7)
      if (length > 0x3fff) length = (length & 0x3fff) | ((bytes[place++] as number) << 14)
      const end = place + (length >>> 1)
      if (length > 0x1fffff || (length & 1) !== 0 || end > lastStart) break
      place += 1
      let time = bytes[place++] as number
      if (time > 0x7f) time = (time & 0x7f) | ((bytes[place++] as number) << 7)
      if (time > 0x3fff) time = (time & 0x3fff) | ((bytes[place++] as number) << 14)
      if (time > 0x1fffff) time = (time & 0x1fffff) | ((bytes[place++] as number) << 21)
      if (time > 0xfffffff) break
      let offset = bytes[place++] as number
      if (offset > 0x7f) offset = (offset & 0x7f) | ((bytes[place++] as number) << 7)
      if (offset > 0x3fff) offset = (offset & 0x3fff) | ((bytes[place++] as number) << 14)
      const delta = offset >>> 1
      if (offset > 0x1fffff || (offset & 1) !== 0 || delta <= previousDelta || delta > lastOffsetDelta) break
      if (baseOffset + delta < startOffset || baseOffset + delta >= endOffset) break
      let key = bytes[place++] as number
      if (key > 0x7f) key = (key & 0x7f) | ((bytes[place++] as number) << 7)
      const keyLength = (key >>> 1) ^ -(key & 1)
      if (key > 0x3fff || keyLength < -1) break
      const keyStart = place
      if (keyLength > 0) place += keyLength
      if (place > end) break
      let value = bytes[place++] as number
      if (value > 0x7f) value = (value & 0x7f) | ((bytes[place++] as number) << 7)
      if (value > 0x3fff) value = (value & 0x3fff) | ((bytes[place++] as number) << 14)
      const valueLength = (value >>> 1) ^ -(value & 1)
      if (value > 0x1fffff || valueLength < -1) break
      const valueStart = place
      if (valueLength > 0) place += valueLength
      // A count of headers is the last byte, and none.
      if (place + 1 !== end || bytes[place] !== 0) break
      if (remaining === 1 && end !== this.end) break
      offsets[count] = baseOffset + delta
      timestamps[count] = fixedTimestamp ? baseTimestamp : baseTimestamp + ((time >>> 1) ^ -(time & 1))
      keyStarts[count] = keyStart
      keyLengths[count] = keyLength
      valueStarts[count] = valueStart
      valueLengths[count] = valueLength
      headersStarts[count] = place
      headersLengths[count] = 0
      count += 1
      remaining -= 1
      previousDelta = delta
      at = end
    }
    if (count === columns.count) return
    columns.buffer = bytes
    columns.count = count
    this.at = at
    this.previousDelta = previousDelta
    this.remaining = remaining
  }
}
