import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { LogBounds } from '../runtime/log/log.ts'

/** Whose archive is read: the pipeline that keeps it, and the topic that it is of. */
export interface ArchiveOf {
  readonly pipeline: string
  readonly topic: string
}

/** An object of the manifest. Times are ms UTC, -1 where no record has a plausible one. */
export interface ManifestObject {
  readonly key: string
  readonly firstOffset: number
  readonly lastOffset: number
  readonly sizeBytes: number
  /** Of the object as it is stored; lower-case hex. */
  readonly sha256: string
  readonly minTimestamp: number
  readonly maxTimestamp: number
}

/** Offsets that a person has had the pipeline leave out: from, and up to but not including. */
export interface SkippedOffsets {
  readonly fromOffset: number
  readonly toOffset: number
}

/** What an archive has, by the rows that its checkpoints have written. Objects that no row names were never committed. */
export interface ArchiveManifest extends ArchiveOf {
  /** How many the topic has. */
  partitions(): Promise<number>
  /** From the first archived offset to behind the last. */
  bounds(partition: number): Promise<LogBounds>
  /** In order, those with records at or behind the offset and, where a time is given, with one that is not before it; at most `limit` of them. */
  objects(partition: number, fromOffset: number, limit: number, fromTime?: number): Promise<readonly ManifestObject[]>
  /** What the pipeline has left out. The archive has it, for it keeps what was received. */
  skipped(partition: number): Promise<readonly SkippedOffsets[]>
}

const boundsText = `SELECT min(first_offset)::float8 AS earliest, max(last_offset)::float8 + 1 AS next
FROM archive_object WHERE pipeline = $1 AND topic = $2 AND partition = $3`

/** The archived partitions may be fewer than there are, so the tasks say how many that is: those that the topic leads, and those that read it beside another. */
const partitionsText = `SELECT greatest(
  (SELECT max(greatest(topic_partitions, partition + 1)) FROM stream_task WHERE pipeline = $1 AND topic = $2),
  (SELECT max(input_partition) + 1 FROM task_input WHERE pipeline = $1 AND input_topic = $2),
  (SELECT max(partition) + 1 FROM archive_object WHERE pipeline = $1 AND topic = $2)) AS count`

const objectsText = `SELECT key, first_offset::float8 AS "firstOffset", last_offset::float8 AS "lastOffset", size_bytes::float8 AS "sizeBytes", sha256,
  (extract(epoch FROM min_timestamp) * 1000)::float8 AS "minTimestamp", (extract(epoch FROM max_timestamp) * 1000)::float8 AS "maxTimestamp"
FROM archive_object
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND last_offset >= $4
  AND ($6::float8 IS NULL OR max_timestamp >= to_timestamp($6::float8 / 1000))
ORDER BY first_offset LIMIT $5`

const skippedText = `SELECT from_offset::float8 AS "fromOffset", to_offset::float8 AS "toOffset"
FROM skipped_range
WHERE pipeline = $1 AND input_topic = $2 AND input_partition = $3 AND kind <> 'rewind' AND taken_back_at IS NULL
ORDER BY from_offset`

/**
 * The manifest in the database.
 * @param db whose search path has the schema of the pipeline
 */
export function postgresManifest(db: Pick<pg.Pool, 'query'>, { pipeline, topic }: ArchiveOf): ArchiveManifest {
  return {
    pipeline,
    topic,
    async partitions() {
      const { rows } = await db.query<{ count: number | null }>(partitionsText, [pipeline, topic])
      const count = rows[0]?.count ?? 0
      if (count > 0) return count
      throw new ConfigurationError(
        `pipeline ${pipeline} has archived nothing of topic ${topic} in this database. Give the names of a pipeline with toArchive(…) that has run; 'millrace status' lists them.`,
        { pipeline, topic },
      )
    },
    async bounds(partition) {
      const { rows } = await db.query<{ earliest: number | null; next: number | null }>(boundsText, [
        pipeline,
        topic,
        partition,
      ])
      return { earliest: rows[0]?.earliest ?? 0, next: rows[0]?.next ?? 0 }
    },
    async objects(partition, fromOffset, limit, fromTime) {
      const values = [pipeline, topic, partition, fromOffset, limit, fromTime ?? null]
      const { rows } = await db.query<ManifestObject>(objectsText, values)
      return rows
    },
    async skipped(partition) {
      const { rows } = await db.query<SkippedOffsets>(skippedText, [pipeline, topic, partition])
      return rows
    },
  }
}
