const seed = 0x9747b28c
const m = 0x5bd1e995

/**
 * MurmurHash2 of the bytes, 32 bits, signed: the very hash of Kafka's Java client (`org.apache.kafka.common.utils.Utils.murmur2`), so that a
 * symbol lies in the same partition whoever produced it.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  const words = length >> 2
  let hash = seed ^ length
  for (let word = 0; word < words; word++) {
    const at = word << 2
    let k =
      byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    hash = Math.imul(hash, m) ^ Math.imul(k, m)
  }
  const tail = words << 2
  const rest = length & 3
  if (rest === 3) hash ^= byteAt(bytes, tail + 2) << 16
  if (rest >= 2) hash ^= byteAt(bytes, tail + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ byteAt(bytes, tail), m)
  hash ^= hash >>> 13
  hash = Math.imul(hash, m)
  return hash ^ (hash >>> 15)
}

/** The partition that Kafka's default partitioner picks for this key. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number
}
