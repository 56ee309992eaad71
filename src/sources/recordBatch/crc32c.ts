/**
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), the checksum of Kafka's record batches since KIP-98.
 *
 * Slicing-by-8 (Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based CRC Generators"): eight
 * bytes a step from eight tables of 256 words. Node's own `zlib.crc32` is another polynomial.
 */

const POLYNOMIAL = 0x82f63b78
const TABLES = buildTables()
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES

/** The checksum of `bytes[start, end)` as an unsigned number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const aligned = Math.min(end, start + ((4 - ((bytes.byteOffset + start) & 3)) & 3))
  let crc = -1
  let at = start
  for (; at < aligned; at++) crc = (T0[(crc ^ bytes[at]!) & 0xff] as number) ^ (crc >>> 8)

  const steps = (end - at) >>> 3
  if (steps > 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, steps * 2)
    crc = overWords(crc, words)
    at += steps * 8
  }
  for (; at < end; at++) crc = (T0[(crc ^ bytes[at]!) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

function overWords(seed: number, words: Int32Array): number {
  let crc = seed
  for (let at = 0; at < words.length; at += 2) {
    const low = crc ^ words[at]!
    const high = words[at + 1]!
    crc =
      T7[low & 0xff]! ^
      T6[(low >>> 8) & 0xff]! ^
      T5[(low >>> 16) & 0xff]! ^
      T4[low >>> 24]! ^
      T3[high & 0xff]! ^
      T2[(high >>> 8) & 0xff]! ^
      T1[(high >>> 16) & 0xff]! ^
      T0[high >>> 24]!
  }
  return crc
}

type EightTables = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array]

function buildTables(): EightTables {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    first[byte] = crc
  }
  const tables = [first]
  for (let slice = 1; slice < 8; slice++) {
    const before = tables[slice - 1] as Int32Array
    tables.push(before.map((crc) => (first[crc & 0xff] as number) ^ (crc >>> 8)))
  }
  return tables as EightTables
}
