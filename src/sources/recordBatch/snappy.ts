import { snappyDecompress } from '@platformatic/wasm-utils'

/** What snappy-java's streams begin with, and with them every Java producer: chunks of raw Snappy behind it, not the framing format. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, then a version and the oldest one that can read it. */
const XERIAL_HEADER_BYTES = 16

/** Decompresses raw Snappy (librdkafka and others) or the chunks of snappy-java; null when that is more than `mostBytes`. */
export function snappyDecompressed(bytes: Buffer, mostBytes: number): Buffer | null {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    return lengthOf(bytes) > mostBytes ? null : snappyDecompress(bytes)
  }
  const chunks: Buffer[] = []
  let total = 0
  let at = XERIAL_HEADER_BYTES
  while (at < bytes.length) {
    const length = bytes.length - at < 4 ? -1 : bytes.readInt32BE(at)
    at += 4
    if (length < 0 || length > bytes.length - at) throw new Error(`a chunk of ${length} bytes at ${at - 4}`)
    const chunk = bytes.subarray(at, at + length)
    total += lengthOf(chunk)
    if (total > mostBytes) return null
    chunks.push(snappyDecompress(chunk))
    at += length
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}

/** Raw Snappy begins with the length of what was compressed, a varint of 32 bits. */
function lengthOf(bytes: Buffer): number {
  let length = 0
  for (let index = 0; index < 5 && index < bytes.length; index++) {
    const byte = bytes[index] as number
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return length
  }
  throw new Error('no length at the start')
}
