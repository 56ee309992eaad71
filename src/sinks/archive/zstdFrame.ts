const MAGIC_BYTES = 4
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4
/** Of a frame that decoders pass over (RFC 8878, 3.1.2), but for its lowest four bits. */
const SKIPPED_MAGIC = 0x184d2a50

/** Magic number, descriptor, window, one block of nothing, checksum. */
export const EMPTY_FRAME_BYTES = MAGIC_BYTES + 2 + BLOCK_HEADER_BYTES + CHECKSUM_BYTES

/** True where the frame at `start` holds nothing that is to be unpacked. Throws `RangeError` past the end of the bytes. */
export function isSkippedFrame(frames: Buffer, start: number): boolean {
  return frames.readUInt32LE(start) >>> 4 === SKIPPED_MAGIC >>> 4
}

/** Where the frame at `start` ends (RFC 8878, 3.1.1). Throws `RangeError` past the end of the bytes. */
export function frameEnd(frames: Buffer, start = 0): number {
  if (isSkippedFrame(frames, start)) return start + 8 + frames.readUInt32LE(start + MAGIC_BYTES)
  const descriptor = frames.readUInt8(start + MAGIC_BYTES)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] as number
  let at = start + MAGIC_BYTES + 1 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes
  for (;;) {
    const header = frames.readUIntLE(at, BLOCK_HEADER_BYTES)
    const isRepeated = ((header >> 1) & 3) === 1
    at += BLOCK_HEADER_BYTES + (isRepeated ? 1 : header >> 3)
    if ((header & 1) === 1) return at + ((descriptor & 4) === 0 ? 0 : CHECKSUM_BYTES)
  }
}
