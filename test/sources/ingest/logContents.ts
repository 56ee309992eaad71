import { RecordView } from '../../../src/runtime/log/record.ts'
import type { MemoryLog } from '../../../src/testing/memoryLog.ts'

export interface LoggedRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
}

/** Every record of the log, partition by partition. */
export async function logContents(log: MemoryLog): Promise<LoggedRecord[]> {
  const records: LoggedRecord[] = []
  const view = new RecordView()
  for (const partition of await log.partitions()) {
    const reader = log.reader(partition)
    reader.seek(0)
    for (;;) {
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 })
      if (batch === null) break
      while (batch.read(view)) {
        const { offset, timestamp } = view
        records.push({ partition, offset, timestamp, key: view.keyText(), value: view.valueText() })
      }
    }
    await reader.close()
  }
  return records
}

export function isHeartbeat(record: LoggedRecord): boolean {
  return record.key === null && record.value?.startsWith('{"e":"heartbeat"') === true
}
