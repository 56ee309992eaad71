import type pg from 'pg'
import { type StoredRange, storedRanges } from '../sinks/postgres/skippedRanges.ts'
import { countDifferences, type DifferenceCount } from './minuteDifferences.ts'
import { countOpenGaps, type OpenGapCount } from './openGaps.ts'
import { countOutbox, type OutletCount } from './outbox.ts'
import { type RetentionFacts, retentionFacts } from './retention.ts'

export interface TaskStatus {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly generation: number
  readonly owner: string
  readonly nextOffset: number | null
  /** End of the embedded log; null where the topic is kept elsewhere. */
  readonly logEnd: number | null
  readonly lagRecords: number | null
  /** ISO 8601 of event time. */
  readonly watermark: string | null
  readonly watermarkLagMs: number | null
  readonly committedAt: string | null
  readonly checkpointAgeMs: number | null
  readonly stateBytes: number
  readonly archiveNextOffset: number | null
  readonly archiveLagRecords: number | null
  /** The inputs that do not lead, by topic; none for a task with one. */
  readonly inputs: readonly InputStatus[]
}

/** How far a task is in an input that does not lead. */
export interface InputStatus {
  readonly topic: string
  /** That of the task, unless one task reads all. */
  readonly partition: number
  readonly nextOffset: number
  /** End of the embedded log; null where the topic is kept elsewhere. */
  readonly logEnd: number | null
  readonly lagRecords: number | null
  readonly archiveNextOffset: number | null
  readonly archiveLagRecords: number | null
}

/** Messages of an outlet that are stored and not sent yet. */
export interface DeadLetterCount {
  readonly pipeline: string
  readonly topic: string
  readonly reason: string
  readonly waiting: number
  readonly redriven: number
}

export interface ArchiveStatus {
  readonly pipeline: string
  readonly topic: string
  readonly objects: number
  readonly records: number
  readonly bytes: number
}

export interface LogStatus {
  readonly topic: string
  readonly partitions: number
  readonly records: number
  readonly bytes: number
}

// A row that nobody has claimed and nothing was committed in is what `state drop` leaves, for the sake of its generation.
const tasks = `
SELECT task.pipeline, task.topic, task.partition, task.generation::float8 AS generation, task.owner,
       task.next_offset::float8 AS "nextOffset", log.next_offset::float8 AS "logEnd",
       (log.next_offset - coalesce(task.next_offset, log.earliest_offset))::float8 AS "lagRecords",
       task.watermark::float8 AS watermark,
       (extract(epoch FROM now()) * 1000 - task.watermark)::float8 AS "watermarkLagMs",
       (extract(epoch FROM task.committed_at) * 1000)::float8 AS "committedAt",
       (extract(epoch FROM now() - task.committed_at) * 1000)::float8 AS "checkpointAgeMs",
       task.state_bytes::float8 AS "stateBytes", task.archive_next_offset::float8 AS "archiveNextOffset",
       (log.next_offset - task.archive_next_offset)::float8 AS "archiveLagRecords"
FROM stream_task AS task LEFT JOIN log_partition AS log USING (topic, partition)
WHERE task.owner <> '' OR task.next_offset IS NOT NULL
ORDER BY task.pipeline, task.topic, task.partition`

const inputs = `
SELECT input.pipeline, input.topic AS "leadTopic", input.partition AS "leadPartition", input.input_topic AS topic, input.input_partition AS partition,
       input.next_offset::float8 AS "nextOffset", log.next_offset::float8 AS "logEnd",
       (log.next_offset - input.next_offset)::float8 AS "lagRecords",
       input.archive_next_offset::float8 AS "archiveNextOffset",
       (log.next_offset - input.archive_next_offset)::float8 AS "archiveLagRecords"
FROM task_input AS input LEFT JOIN log_partition AS log ON (log.topic, log.partition) = (input.input_topic, input.input_partition)
ORDER BY input.input_topic, input.input_partition`

const deadLetters = `
SELECT pipeline, topic, reason,
       (count(*) FILTER (WHERE redriven_at IS NULL))::float8 AS waiting,
       (count(*) FILTER (WHERE redriven_at IS NOT NULL))::float8 AS redriven
FROM dead_letter GROUP BY pipeline, topic, reason ORDER BY pipeline, topic, reason`

const archive = `
SELECT pipeline, topic, count(*)::float8 AS objects, sum(record_count)::float8 AS records, sum(size_bytes)::float8 AS bytes
FROM archive_object GROUP BY pipeline, topic ORDER BY pipeline, topic`

const logs = `
SELECT part.topic, count(*)::float8 AS partitions, sum(part.next_offset - part.earliest_offset)::float8 AS records,
       coalesce((SELECT sum(size_bytes) FROM log_batch WHERE log_batch.topic = part.topic), 0)::float8 AS bytes
FROM log_partition AS part GROUP BY part.topic ORDER BY part.topic`

export interface DataSetStatus {
  readonly tasks: readonly TaskStatus[]
  readonly deadLetters: readonly DeadLetterCount[]
  readonly archive: readonly ArchiveStatus[]
  readonly logs: readonly LogStatus[]
  /** Outlets that have messages to send, or some that were refused. */
  readonly outbox: readonly OutletCount[]
  /** Offsets that a person has decided to leave out. */
  readonly skipped: readonly StoredRange[]
  /** Trades that a feed knows to be missing, by symbol. */
  readonly openGaps: readonly OpenGapCount[]
  /** Candles that are not the exchange's and that nobody has explained, by symbol. */
  readonly differences: readonly DifferenceCount[]
  /** What was deleted because it was older than it is to be kept. */
  readonly retention: readonly RetentionFacts[]
}

type TaskRow = Omit<TaskStatus, 'watermark' | 'committedAt' | 'inputs'> & {
  readonly watermark: number | null
  readonly committedAt: number | null
}

interface InputRow extends InputStatus {
  readonly pipeline: string
  readonly leadTopic: string
  readonly leadPartition: number
}

/** Everything `status` says of one schema, as it was at one moment. */
export async function readStatus(client: pg.ClientBase): Promise<DataSetStatus> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    const { rows } = await client.query<TaskRow>(tasks)
    const inputRows = (await client.query<InputRow>(inputs)).rows
    return {
      tasks: rows.map((row) => ({
        ...row,
        watermark: isoOf(row.watermark),
        committedAt: isoOf(row.committedAt),
        inputs: inputRows.filter((input) => isOf(input, row)).map(inputOf),
      })),
      deadLetters: (await client.query<DeadLetterCount>(deadLetters)).rows,
      archive: (await client.query<ArchiveStatus>(archive)).rows,
      logs: (await client.query<LogStatus>(logs)).rows,
      outbox: await countOutbox(client),
      skipped: (await storedRanges(client)).filter(({ takenBackBy }) => takenBackBy === null),
      openGaps: await countOpenGaps(client),
      differences: await countDifferences(client),
      retention: await retentionFacts(client),
    }
  } finally {
    await client.query('ROLLBACK')
  }
}

function isOf(input: InputRow, task: TaskRow): boolean {
  return input.pipeline === task.pipeline && input.leadTopic === task.topic && input.leadPartition === task.partition
}

function inputOf({
  pipeline: _pipeline,
  leadTopic: _lead,
  leadPartition: _partition,
  ...status
}: InputRow): InputStatus {
  return status
}

function isoOf(ms: number | null): string | null {
  return ms === null || Math.abs(ms) > 8.64e15 ? null : new Date(ms).toISOString()
}
