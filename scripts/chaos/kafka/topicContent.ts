import { createHash } from 'node:crypto'
import { RecordView } from '../../../src/runtime/log/record.ts'
import type { KafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'

/** What one partition holds, in its order. Transactions leave gaps between the offsets. */
export interface PartitionContent {
  readonly offsets: readonly number[]
  /** Of the values, so that a long topic fits. */
  readonly digests: readonly string[]
}

/** Reads all that a topic holds. */
export async function contentOf(settings: KafkaSettings, topic: string): Promise<readonly PartitionContent[]> {
  const log = await openKafkaLog(settings, { topic, group: 'chaos.content' })
  const view = new RecordView()
  try {
    const contents: PartitionContent[] = []
    for (const partition of await log.partitions()) {
      const reader = log.reader(partition)
      const { earliest, next } = await reader.bounds()
      const offsets: number[] = []
      const digests: string[] = []
      reader.seek(earliest)
      for (let at = earliest; at < next; ) {
        const batch = await reader.fetch({ maxBytes: 1_048_576, maxWaitMs: 1_000 })
        if (batch === null) continue
        while (batch.read(view)) {
          offsets.push(view.offset)
          digests.push(digestOf(view.valueCopy()))
        }
        at = batch.nextOffset
      }
      await reader.close()
      contents.push({ offsets, digests })
    }
    return contents
  } finally {
    await log.close()
  }
}

export function digestOf(value: Uint8Array | null): string {
  return value === null ? 'null' : createHash('sha1').update(value).digest('base64').slice(0, 12)
}
