import type { LogSource } from '../../src/runtime/log/log.ts'
import { RecordView } from '../../src/runtime/log/record.ts'

export interface TopicRecord {
  readonly partition: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
}

/** Every record that a topic holds now, partition by partition. */
export async function topicContents(source: LogSource): Promise<TopicRecord[]> {
  const records: TopicRecord[] = []
  const view = new RecordView()
  for (const partition of await source.partitions()) {
    const reader = source.reader(partition)
    const { earliest, next } = await reader.bounds()
    reader.seek(earliest)
    for (let offset = earliest; offset < next; ) {
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 2_000 })
      if (batch === null) break
      while (batch.read(view)) {
        records.push({ partition, timestamp: view.timestamp, key: view.keyText(), value: view.valueText() })
      }
      offset = batch.nextOffset
    }
    await reader.close()
  }
  return records
}
