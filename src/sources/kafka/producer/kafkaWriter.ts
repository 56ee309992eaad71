import type { LogWriter } from '../../../runtime/log/log.ts'

/** A writer to a topic of Kafka, which knows its partitions. */
export interface KafkaWriter extends LogWriter {
  /** How many partitions the topic had when the producer was claimed. */
  readonly partitionCount: number
  /** The partition where Kafka's Java client puts a key (murmur2), from 0, by as many partitions as the topic had when the producer was claimed. */
  partitionOf(key: Uint8Array): number
}
