import type { StartFrom } from '../runtime/log/startFrom.ts'
import type { WorkerLimitOptions } from '../runtime/task/workerLimits.ts'
import type { KafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import type { ArchiveSettings } from './openArchive.ts'

/** How topics are made, and what is expected of those that are there. */
export interface TopicSettings {
  /** Of topics that are made now; one that is there must have as many. Null takes what is there, and `defaultPartitions` where nothing is. */
  readonly partitions: number | null
  /** How long the embedded log keeps records that every reader has committed. */
  readonly logRetentionHours: number
  /** How long a topic of Kafka that is made now keeps records; null for ever. */
  readonly kafkaRetentionHours: number | null
  /** Copies of a topic of Kafka that is made now; null leaves it to the broker. */
  readonly kafkaReplication: number | null
}

/** Where a run has its log, its database and its archive, and how it shares the work. Plain values, wherever they come from. */
export interface HostSettings {
  /** Holds the embedded database, the archive directory, and the lock and the report of each run. */
  readonly dataDir: string
  /** `postgres://…`, or undefined for the database of the data folder. */
  readonly databaseUrl: string | undefined
  /** Of rows, checkpoints and the embedded log; migrated at a start. */
  readonly schema: string
  /** Null for the embedded log. */
  readonly kafka: KafkaSettings | null
  /** Who shares the partitions; undefined for a group of the pipeline's own. */
  readonly group: string | undefined
  /** Who this worker is in its group; undefined for one that is made of the host and the data folder. */
  readonly workerId: string | undefined
  readonly topics: TopicSettings
  readonly archive: ArchiveSettings
  /** Where a pipeline begins to read that never ran; null for the earliest record. With a place, one that has run is refused. */
  readonly startFrom: StartFrom | null
  /** What differs from `defaultLimits`. */
  readonly limits: WorkerLimitOptions
}

/** Of a topic that is made while nothing says how many it gets. */
export const defaultPartitions = 4
