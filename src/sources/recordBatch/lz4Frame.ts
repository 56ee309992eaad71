/**
 * At most how many bytes an LZ4 frame holds, by its headers alone.
 *
 * Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md. Kafka writes frames of independent blocks without content size.
 * Throws when the bytes are not whole frames.
 */
export function lz4MostBytes(bytes: Buffer): number {
  let most = 0
  let at = 0
  while (at < bytes.length) {
    const frame = oneFrame(bytes, at)
    most += frame.mostBytes
    at = frame.end
  }
  return most
}

const MAGIC = 0x184d2204
const END_MARK = 0
const STORED = 0x80000000
/** An LZ4 byte adds at most 255 bytes to a length. */
const MOST_RATIO = 255

function oneFrame(bytes: Buffer, start: number): { mostBytes: number; end: number } {
  if (bytes.length - start < 7 || bytes.readUInt32LE(start) !== MAGIC) throw new Error(`no LZ4 frame at ${start}`)
  const flags = bytes[start + 4] as number
  const sizeCode = ((bytes[start + 5] as number) >> 4) & 0x07
  if (sizeCode < 4) throw new Error(`an LZ4 block size code of ${sizeCode}`)
  const mostBlockBytes = 1 << (8 + 2 * sizeCode)
  const hasBlockChecksum = (flags & 0x10) !== 0
  const hasContentSize = (flags & 0x08) !== 0
  const hasContentChecksum = (flags & 0x04) !== 0
  const hasDictionary = (flags & 0x01) !== 0
  let at = start + 7 + (hasContentSize ? 8 : 0) + (hasDictionary ? 4 : 0)
  let mostBytes = 0
  for (;;) {
    if (bytes.length - at < 4) throw new Error('an LZ4 frame that ends too early')
    const word = bytes.readUInt32LE(at)
    at += 4
    if (word === END_MARK) break
    const length = word % STORED
    if (length > bytes.length - at)
      throw new Error(`an LZ4 block of ${length} bytes where ${bytes.length - at} are left`)
    mostBytes += word >= STORED ? length : Math.min(mostBlockBytes, length * MOST_RATIO)
    at += length + (hasBlockChecksum ? 4 : 0)
  }
  return { mostBytes, end: at + (hasContentChecksum ? 4 : 0) }
}
