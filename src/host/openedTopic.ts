import type { LogWriter, OutgoingTopic } from '../runtime/log/log.ts'
import { partitionOf } from '../sources/ingest/murmur2.ts'

/** A topic that is open for appends. */
export interface OpenedTopic extends OutgoingTopic {
  readonly partitions: number
}

/** The topic of a writer, with keys spread as Kafka's own producers spread them. */
export function openedTopic(writer: LogWriter, partitions: number): OpenedTopic {
  return {
    writer,
    partitions,
    partitionOf: (key, fallback) => (key === null ? fallback % partitions : partitionOf(key, partitions)),
  }
}
