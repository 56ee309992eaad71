import type pg from 'pg'
import { enforceRetention } from '../embedded/log/retention.ts'
import { systemClock } from '../runtime/clock.ts'

const everyMs = 60_000

// What any pipeline still needs of a partition, whether it leads there or not: the smaller of where its graph and where its archive goes on. A topic that
// no pipeline has committed yet keeps everything; what `state drop` leaves, which nobody has claimed, needs nothing.
const needed = `
WITH reader AS (
  SELECT topic, partition, next_offset, archive_next_offset FROM stream_task WHERE owner <> '' OR next_offset IS NOT NULL
  UNION ALL
  SELECT input_topic, input_partition, next_offset, archive_next_offset FROM task_input
)
SELECT log.topic, log.partition,
       coalesce(min(least(reader.next_offset, coalesce(reader.archive_next_offset, reader.next_offset))), 0)::float8 AS "keepFrom",
       bool_or(reader.next_offset IS NULL) AS "isUnread"
FROM log_partition AS log LEFT JOIN reader USING (topic, partition)
GROUP BY log.topic, log.partition`

interface Needed {
  readonly topic: string
  readonly partition: number
  readonly keepFrom: number
  readonly isUnread: boolean
}

/**
 * Trims all topics of the data set to what the retention keeps, now and once a minute until it is stopped; also those that nobody runs any more,
 * such as a tape's. A failure is told and tried again.
 */
export function keepRetention(
  pool: pg.Pool,
  retentionMs: number,
  onWarning: (line: string) => void,
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const working = (async () => {
    while (!stopping.signal.aborted) {
      await systemClock.sleep(everyMs, stopping.signal)
      if (stopping.signal.aborted) return
      try {
        await trimAll(pool, retentionMs)
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        onWarning(`warning: the log was not trimmed, which is tried again in a minute: ${message}`)
      }
    }
  })()
  return {
    stop: () => {
      stopping.abort()
      return working
    },
  }
}

export async function trimAll(pool: pg.Pool, retentionMs: number): Promise<void> {
  const { rows } = await pool.query<Needed>(needed)
  for (const { topic, partition, keepFrom, isUnread } of rows) {
    if (isUnread || keepFrom === 0) continue
    await enforceRetention(pool, topic, partition, { retentionMs, keepFrom: () => keepFrom })
  }
}
