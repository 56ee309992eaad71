import type { LogSource } from '../runtime/log/log.ts'
import { type RecordHeader, RecordView } from '../runtime/log/record.ts'

/** A record, copied out of its log. */
export interface CopiedRecord {
  readonly key: Buffer | null
  readonly headers: readonly RecordHeader[]
  readonly value: Buffer | null
}

/** Looks a record of one topic up in its log; null where it is not there. */
export type ReadRecord = (partition: number, offset: number) => Promise<CopiedRecord | null>

const maxBytes = 1 << 20
const maxWaitMs = 5_000

/** Reads one record of a log; null where the log does not have it, or no longer. */
export async function recordAt(source: LogSource, partition: number, offset: number): Promise<CopiedRecord | null> {
  const reader = source.reader(partition)
  try {
    const { earliest, next } = await reader.bounds()
    if (offset < earliest || offset >= next) return null
    reader.seek(offset)
    const batch = await reader.fetch({ maxBytes, maxWaitMs })
    const view = new RecordView()
    while (batch?.read(view) === true) {
      if (view.offset === offset) return { key: view.keyCopy(), headers: view.headers(), value: view.valueCopy() }
    }
    return null
  } finally {
    await reader.close()
  }
}
