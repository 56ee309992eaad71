import type { LogSource } from '../../../src/runtime/log/log.ts'
import { type RecordHeader, RecordView } from '../../../src/runtime/log/record.ts'

/** A record as a log holds it, free of the log's memory. */
export interface LogRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** Every record that a topic holds now, for those who read committed, partition by partition. */
export async function logRecords(source: LogSource): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  const view = new RecordView()
  for (const partition of await source.partitions()) {
    const reader = source.reader(partition)
    const { earliest, next } = await reader.bounds()
    reader.seek(earliest)
    for (let at = earliest; at < next; ) {
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 1_000 })
      if (batch === null) continue
      while (batch.read(view)) {
        const { offset, timestamp } = view
        records.push({
          partition,
          offset,
          timestamp,
          key: view.keyCopy(),
          value: view.valueCopy(),
          headers: view.headers(),
        })
      }
      at = batch.nextOffset
    }
    await reader.close()
  }
  return records
}
