import { partitionOf } from './ingest/murmur2.ts'

/**
 * The partition of a message, from 0: where Kafka's own producers put the key, or, without one, the fallback, brought into the range.
 * @param partitions how many the topic has
 */
export function outgoingPartition(key: Uint8Array | null, fallbackPartition: number, partitions: number): number {
  return key === null ? fallbackPartition % partitions : partitionOf(key, partitions)
}
