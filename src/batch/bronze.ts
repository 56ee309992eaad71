import type pg from 'pg'
import type { MarketEvent } from '../market/trade.ts'
import { medallion } from '../pipelines/medallion.ts'
import { ArchivedFrames } from '../replay/archivedFrames.ts'
import { ArchiveLog } from '../replay/archiveLog.ts'
import { postgresManifest } from '../replay/archiveManifest.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Codec } from '../runtime/log/codec.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { Worker } from '../runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../sinks/postgres/checkpointStore.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'
import { dropState } from '../sinks/postgres/stateDrops.ts'

/** The pipeline whose archive is read. */
export const archivist = 'realtime'
const pipelineName = 'medallion'

/** What there is of the archive, and where the pass stands in it. A step of time that was recorded at the very end counts as something to do. */
const unreadText = `
WITH archived AS (
  SELECT topic, partition, max(last_offset) + 1 AS ends_at FROM archive_object WHERE pipeline = $1 GROUP BY topic, partition
)
SELECT archived.topic, count(*)::float8 AS partitions
FROM archived LEFT JOIN stream_task AS task ON task.pipeline = $2 AND task.topic = archived.topic AND task.partition = archived.partition
WHERE task.next_offset IS NULL OR task.next_offset < ends_at OR EXISTS (
  SELECT FROM idle_advance AS step
  WHERE step.pipeline = $1 AND step.topic = archived.topic AND step.partition = archived.partition
    AND step."offset" = ends_at AND (step.watermark > task.watermark OR (step.is_end AND step.watermark = task.watermark))
)
GROUP BY archived.topic ORDER BY archived.topic`

export interface BronzeOptions {
  readonly pool: pg.Pool
  readonly address: PostgresAddress
  readonly schema: string
  /** Where the archive is. */
  readonly store: ObjectStore
  readonly trades: Codec<MarketEvent>
  readonly signal: AbortSignal
}

/**
 * Makes minutes of what the archive has got since the last pass, with the steps of time that the live run recorded. Checkpoints are committed as it goes; a pass that is stopped goes on there. Gives how many records
 * it has read.
 */
export async function readArchive({ pool, address, schema, store, trades, signal }: BronzeOptions): Promise<number> {
  const { rows } = await pool.query<{ topic: string }>(unreadText, [archivist, pipelineName])
  let records = 0
  for (const { topic } of rows) {
    if (signal.aborted) break
    const checkpoints = new PostgresCheckpointStore(address, { schema, lost: signal })
    const worker = new Worker({
      pipeline: medallion(trades),
      source: new ArchiveLog({ manifest: postgresManifest(pool, { pipeline: archivist, topic }), store }),
      store: checkpoints,
      archive: null,
      clock: systemClock,
      replayOf: archivist,
    })
    const stop = () => worker.stop('now')
    signal.addEventListener('abort', stop, { once: true })
    try {
      const running = worker.run()
      worker.stop(signal.aborted ? 'now' : 'drain')
      await running
      records += worker.status().reduce((sum, task) => sum + task.records, 0)
    } finally {
      signal.removeEventListener('abort', stop)
      await checkpoints.close()
    }
  }
  return records
}

const topicsText = 'SELECT DISTINCT topic FROM archive_object WHERE pipeline = $1 ORDER BY topic'
const objectsAtOnce = 64

/**
 * Looks whether all of the archive can be read: every object is there, as it was written. For whoever is about to forget what was made of it. Holds one object.
 * @throws CorruptRecordError for the first one that is not; RetryableError while the store is away
 */
export async function checkArchive(pool: pg.Pool, store: ObjectStore, signal: AbortSignal): Promise<void> {
  const { rows } = await pool.query<{ topic: string }>(topicsText, [archivist])
  for (const { topic } of rows) {
    const manifest = postgresManifest(pool, { pipeline: archivist, topic })
    const partitions = await manifest.partitions()
    for (let partition = 0; partition < partitions; partition += 1) {
      for (let next = 0; ; ) {
        const objects = await manifest.objects(partition, next, objectsAtOnce)
        for (const object of objects) {
          signal.throwIfAborted()
          await ArchivedFrames.open(store, object)
        }
        if (objects.length < objectsAtOnce) break
        next = (objects.at(-1)?.lastOffset ?? 0) + 1
      }
    }
  }
}

/** Forgets the minutes that were made of the archive, and where it was read to: the next pass reads all of it. */
export async function forgetArchive(client: pg.ClientBase): Promise<void> {
  await dropState(client, pipelineName)
  await client.query('DELETE FROM archived_klines_1m')
}
