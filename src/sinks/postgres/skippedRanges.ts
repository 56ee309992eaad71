import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import { inOneTransaction } from './savedTasks.ts'

/** `skip`: records that are there. `loss`: records that the log no longer has. `rewind`: the log lost its end, and the pipeline goes on at an offset below its own. */
export type SkipKind = 'skip' | 'loss' | 'rewind'

/** Which partition of which input of a pipeline. */
export interface SkippedPlace {
  readonly pipeline: string
  /** Of the leading input: which task it is. */
  readonly topic: string
  readonly partition: number
  readonly inputTopic: string
  /** That of the task, unless one task reads all. */
  readonly inputPartition: number
}

/** What a person has decided about offsets from, and up to but not including. */
export interface DecidedRange extends SkippedPlace {
  readonly fromOffset: number
  readonly toOffset: number
  readonly kind: SkipKind
  /** Who has decided it, as the machine knows them. */
  readonly decidedBy: string
  readonly reason: string
}

/** The same, as it is stored. */
export interface StoredRange extends DecidedRange {
  /** ms UTC */
  readonly decidedAt: number
  /** Who has taken it back, or ended it by a rewind; null while it holds. */
  readonly takenBackBy: string | null
}

/** Where a task stands in an input. */
export interface StandingTask extends SkippedPlace {
  /** Null where nothing was committed. */
  readonly nextOffset: number | null
  readonly archiveNextOffset: number | null
}

const standing = `
SELECT task.pipeline, task.topic, task.partition, task.topic AS "inputTopic",
  task.partition AS "inputPartition", task.next_offset::float8 AS "nextOffset",
  task.archive_next_offset::float8 AS "archiveNextOffset"
FROM stream_task AS task WHERE task.pipeline = $1 AND task.partition = $2
UNION ALL
SELECT pipeline, topic, partition, input_topic, input_partition, next_offset::float8, archive_next_offset::float8
FROM task_input WHERE pipeline = $1 AND input_partition = $2
ORDER BY 2, 4`

const stored = `
SELECT pipeline, topic, partition, input_topic AS "inputTopic",
  input_partition AS "inputPartition", from_offset::float8 AS "fromOffset", to_offset::float8 AS "toOffset", kind,
  decided_by AS "decidedBy", reason, floor(extract(epoch FROM decided_at) * 1000)::float8 AS "decidedAt", taken_back_by AS "takenBackBy"
FROM skipped_range ORDER BY decided_at, pipeline, topic, partition, from_offset`

const insert = `
INSERT INTO skipped_range (pipeline, topic, partition, input_topic, input_partition, from_offset, to_offset, kind, decided_by, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

const archived = `SELECT 1 FROM archive_object WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND last_offset >= $4 LIMIT 1`

// Whoever runs it still is fenced: what it has read may be gone.
const fence = 'UPDATE stream_task SET generation = generation + 1 WHERE pipeline = $1 AND topic = $2 AND partition = $3'

const rewindLead = `
UPDATE stream_task SET next_offset = $4, leader_epoch = NULL, archive_next_offset = least(archive_next_offset, $4)
WHERE pipeline = $1 AND topic = $2 AND partition = $3`

const rewindInput = `
UPDATE task_input SET next_offset = $5, leader_epoch = NULL, archive_next_offset = least(archive_next_offset, $5)
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND input_topic = $4 AND input_partition = $6`

const movedBy = 1_000_000

/** Of a row of `dead_letter`: whether the log has lost its record since, and the pipeline went back before it. */
export const isOfLostRecord = `(dead_letter.ordinal >= ${movedBy} AND EXISTS (
  SELECT FROM skipped_range AS range
  WHERE range.pipeline = dead_letter.pipeline AND range.input_topic = dead_letter.topic AND range.input_partition = dead_letter.partition
    AND range.kind = 'rewind' AND range.from_offset <= dead_letter."offset"))`

// A record of another content comes to these offsets, and its letters have these places: those that are there make room, and can be redriven as before.
const moveLetters = `
UPDATE dead_letter SET ordinal = ordinal + ${movedBy} WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND "offset" >= $4`

// Other records come to the offsets from there on. What was decided about those before stays decided.
const endRanges = `
WITH ended AS (
  UPDATE skipped_range SET taken_back_at = now(), taken_back_by = $6
  WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND input_topic = $4 AND input_partition = $7 AND to_offset > $5 AND kind <> 'rewind' AND taken_back_at IS NULL
  RETURNING pipeline, topic, partition, input_topic, input_partition, from_offset, kind, decided_by, reason, decided_at)
INSERT INTO skipped_range (pipeline, topic, partition, input_topic, input_partition, from_offset, to_offset, kind, decided_by, reason, decided_at)
SELECT pipeline, topic, partition, input_topic, input_partition, from_offset, $5, kind, decided_by, reason, decided_at FROM ended WHERE from_offset < $5`

const standsAt = `
SELECT CASE WHEN task.topic = $4 AND task.partition = $5 THEN task.next_offset ELSE (
  SELECT input.next_offset FROM task_input AS input
  WHERE input.pipeline = $1 AND input.topic = $2 AND input.partition = $3 AND input.input_topic = $4 AND input.input_partition = $5) END::float8 AS "nextOffset"
FROM stream_task AS task WHERE task.pipeline = $1 AND task.topic = $2 AND task.partition = $3`

const takeBack = `
UPDATE skipped_range SET taken_back_at = now(), taken_back_by = $8
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND input_topic = $4 AND input_partition = $5 AND from_offset = $6 AND to_offset = $7 AND kind <> 'rewind'
  AND taken_back_at IS NULL`

const dropSteps = 'DELETE FROM idle_advance WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND "offset" > $4'

/** The tasks of a pipeline in a partition, one line for each of their inputs that is known. */
export async function standingTasks(
  client: pg.ClientBase,
  pipeline: string,
  partition: number,
): Promise<readonly StandingTask[]> {
  return (await client.query<StandingTask>(standing, [pipeline, partition])).rows
}

/** Everything that was decided, oldest first, also what was taken back. */
export async function storedRanges(client: pg.ClientBase): Promise<readonly StoredRange[]> {
  return (await client.query<StoredRange>(stored)).rows
}

/**
 * Stores a decision, for each task that it is about. From the next claim on the offsets are left out; of a rewind the pipeline goes on at the first of them.
 * @throws ConfigurationError on a rewind behind which the archive has objects, which nothing could tell from those to come
 */
export async function storeRanges(client: pg.ClientBase, ranges: readonly DecidedRange[]): Promise<void> {
  await inOneTransaction(client, 'READ COMMITTED', async () => {
    for (const range of ranges) {
      const { pipeline, topic, partition, inputTopic, inputPartition, fromOffset, toOffset, kind, decidedBy, reason } =
        range
      if (kind === 'rewind') await rewind(client, range)
      const place = [pipeline, topic, partition, inputTopic, inputPartition]
      await client.query(insert, [...place, fromOffset, toOffset, kind, decidedBy, reason])
    }
  })
}

/**
 * Takes a decision back that has had no effect yet, for each task that it is about: the pipeline reads these offsets again at its next start. Whoever runs it is fenced, for it has read the decision.
 * @param by who does so, as the machine knows them
 * @throws ConfigurationError where the pipeline has gone past the offsets
 */
export async function takeRangesBack(
  client: pg.ClientBase,
  ranges: readonly DecidedRange[],
  by: string,
): Promise<void> {
  await inOneTransaction(client, 'READ COMMITTED', async () => {
    for (const range of ranges) {
      const { pipeline, topic, partition, inputTopic, inputPartition, fromOffset, toOffset } = range
      await client.query(fence, [pipeline, topic, partition])
      const place = [pipeline, topic, partition, inputTopic, inputPartition]
      const { rows } = await client.query<{ nextOffset: number | null }>(standsAt, place)
      requireUnused(range, rows[0]?.nextOffset ?? null)
      await client.query(takeBack, [...place, fromOffset, toOffset, by])
    }
  })
}

/** @throws ConfigurationError where a decision has had its effect on a pipeline that stands there */
export function requireUnused(range: DecidedRange, nextOffset: number | null): void {
  const { pipeline, inputTopic, inputPartition, fromOffset, toOffset, kind } = range
  const place = { pipeline, topic: inputTopic, partition: inputPartition }
  if (kind === 'rewind') {
    throw new ConfigurationError(
      `pipeline ${pipeline} went back to offset ${fromOffset} of ${inputTopic}/${inputPartition} when that was decided, and reads what is there now: there is nothing to take back`,
      place,
    )
  }
  // Whoever comes to them goes on behind the last of them at once.
  if (nextOffset === null || nextOffset < toOffset) return
  throw new ConfigurationError(
    `pipeline ${pipeline} stands at offset ${nextOffset} of ${inputTopic}/${inputPartition}, behind them: what was decided about offsets ${fromOffset} to ${toOffset - 1} has had its effect and cannot be taken back. ` +
      `To have these records processed all the same, drop what the pipeline keeps, so that it begins anew (\`millrace state drop --pipeline ${pipeline}\`), or read the topic under another name`,
    place,
  )
}

async function rewind(client: pg.ClientBase, range: DecidedRange): Promise<void> {
  const { pipeline, topic, partition, inputTopic, inputPartition, fromOffset } = range
  const task = [pipeline, topic, partition]
  await client.query(fence, task)
  const { rowCount } = await client.query(archived, [pipeline, inputTopic, inputPartition, fromOffset])
  if (rowCount !== 0) {
    throw new ConfigurationError(
      `the archive of pipeline ${pipeline} holds records of ${inputTopic}/${inputPartition} from offset ${fromOffset} on, and others are to come there: ` +
        `go on under another name (\`millrace state copy --from-pipeline ${pipeline} --to-pipeline NEW\`) and accept the loss for that one.`,
      { pipeline, topic: inputTopic, partition: inputPartition, offset: fromOffset },
    )
  }
  if (inputTopic === topic && inputPartition === partition) {
    await client.query(rewindLead, [...task, fromOffset])
    await client.query(dropSteps, [...task, fromOffset])
  } else await client.query(rewindInput, [...task, inputTopic, fromOffset, inputPartition])
  await client.query(endRanges, [...task, inputTopic, fromOffset, range.decidedBy, inputPartition])
  await client.query(moveLetters, [pipeline, inputTopic, inputPartition, fromOffset])
}
