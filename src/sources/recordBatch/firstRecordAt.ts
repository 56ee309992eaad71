import type { RecordBatch } from '../../runtime/log/log.ts'
import { RecordView } from '../../runtime/log/record.ts'

/** The offset of the first record of the batch whose timestamp is at or after the time (ms UTC), or null. Reads the batch up to there. */
export function firstRecordAt(time: number, batch: RecordBatch): number | null {
  const view = new RecordView()
  while (batch.read(view)) if (view.timestamp >= time) return view.offset
  return null
}
