import type { OpenOutgoingTopic } from '../../runtime/log/log.ts'
import { outgoingPartition } from '../../sources/outgoingPartition.ts'
import { EmbeddedLog, type EmbeddedLogOptions } from './embeddedLog.ts'

/** Topics of the embedded log for outlets, as the worker takes them (`openTopic`). One that does not exist is made, with 4 partitions. */
export function embeddedTopics(options: Pick<EmbeddedLogOptions, 'pool' | 'clock'>): OpenOutgoingTopic {
  return async (topic) => {
    const log = await EmbeddedLog.open({ ...options, topic })
    const partitions = (await log.partitions()).length
    return {
      writer: log.writer(),
      partitions,
      partitionOf: (key, fallbackPartition) => outgoingPartition(key, fallbackPartition, partitions),
    }
  }
}
