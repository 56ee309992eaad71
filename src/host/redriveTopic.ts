import type { LogSource, LogWriter } from '../runtime/log/log.ts'
import type { KafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import { type ReadRecord, recordAt } from '../sources/recordAt.ts'
import { openKafkaWriter } from './kafkaTopics.ts'

/** A topic whose dead letters are appended to it again. */
export interface RedriveTopic {
  readonly writer: LogWriter
  readonly read: ReadRecord
  close(): Promise<void>
}

/** It is read only where a letter lacks a part of its record. */
export async function openKafkaRedrive(kafka: KafkaSettings, topic: string): Promise<RedriveTopic> {
  const writer = await openKafkaWriter(kafka, topic, null)
  let opening: Promise<LogSource> | null = null
  const open = async () =>
    (await import('../sources/kafka/openKafkaLog.ts')).openKafkaLog(kafka, { topic, group: 'millrace.redrive' })
  return {
    writer,
    read: async (partition, offset) => {
      opening ??= open()
      return recordAt(await opening, partition, offset)
    },
    close: async () => {
      await writer.close()
      await (await opening)?.close()
    },
  }
}
