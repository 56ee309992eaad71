import { durationText } from '../console/text.ts'
import type { LogWriter, OutgoingRecord } from '../runtime/log/log.ts'

/** What is watched, and against which clock. */
export interface AgeWatchOptions {
  readonly topic: string
  /** Of the topic; null for ever. Brokers count it from the time of a record. */
  readonly retentionMs: number | null
  readonly now: () => number
  readonly onWarning: (text: string) => void
}

/** A writer that says, once, that all records of an append are older than the topic keeps them: the broker deletes such a segment, perhaps before anybody reads it. */
export function watchedForAge(writer: LogWriter, options: AgeWatchOptions): LogWriter {
  const { topic, retentionMs, now, onWarning } = options
  if (retentionMs === null) return writer
  let isTold = false
  const tell = (newest: number) => {
    isTold = true
    onWarning(
      `the newest of the records is of ${new Date(newest).toISOString()}, and topic ${topic} keeps records for ${durationText(retentionMs)} ` +
        `after their time (retention.ms=${retentionMs}): the broker may delete them before they are read. Bring them into a topic that keeps everything: ` +
        'KAFKA_RETENTION_HOURS=forever npx millrace topics create NAME, then --topic NAME.',
    )
  }
  return {
    claim: (producer) => writer.claim(producer),
    append: (records, position) => {
      const newest = isTold ? null : newestOf(records)
      if (newest !== null && newest < now() - retentionMs) tell(newest)
      return writer.append(records, position)
    },
    close: () => writer.close(),
  }
}

function newestOf(records: readonly OutgoingRecord[]): number | null {
  let newest: number | null = null
  for (const { timestamp } of records) newest = newest === null ? timestamp : Math.max(newest, timestamp)
  return newest
}
