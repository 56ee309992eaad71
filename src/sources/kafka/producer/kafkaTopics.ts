import type { OpenOutgoingTopic } from '../../../runtime/log/log.ts'
import { outgoingPartition } from '../../outgoingPartition.ts'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { type KafkaWriterOptions, openKafkaWriter } from './openKafkaWriter.ts'

/** How the topics of outlets are written to. */
export type KafkaTopicsOptions = Omit<KafkaWriterOptions, 'topic'>

/**
 * Topics of Kafka for outlets, as the worker takes them (`openTopic`). They must exist. Each outlet of each task has a transactional id of its own,
 * `millrace.<topic>.<pipeline>/<input topic>/<partition>/<outlet>@<id of the outbox>`.
 */
export function kafkaTopics(settings: KafkaSettings, options: KafkaTopicsOptions = {}): OpenOutgoingTopic {
  return async (topic) => {
    const writer = await openKafkaWriter(settings, { ...options, topic })
    return {
      writer,
      get partitions() {
        return writer.partitionCount
      },
      partitionOf: (key, fallbackPartition) => outgoingPartition(key, fallbackPartition, writer.partitionCount),
    }
  }
}
