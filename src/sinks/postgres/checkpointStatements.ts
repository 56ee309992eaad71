import { letterBytes } from '../../runtime/letters/deadLetters.ts'
import { framesOf, keptFrames } from '../../runtime/state/frameChain.ts'
import type { LookupAnswer } from '../../runtime/store/answers.ts'
import type {
  ArchivedObject,
  Checkpoint,
  Claim,
  DeadLetter,
  InputPosition,
  MergeNote,
  RecordedStep,
  TaskId,
} from '../../runtime/store/checkpoint.ts'
import { elsewhereReason } from '../../runtime/store/foreignRows.ts'
import { type InputPlace, otherPlaces, placeOfInput } from '../../runtime/store/inputPlace.ts'
import type { PartitionGrowth } from '../../runtime/store/partitionGrowth.ts'
import { clampTime, escapeText, timestampText } from './columnText.ts'
import type { Parameter } from './execute.ts'
import { headersText } from './headersText.ts'
import { arrayElement, byteaText, idOf, prepared, run, toRun } from './statement.ts'
import { statementParts } from './statementParts.ts'
import type { Step } from './step.ts'
import { quoteElement } from './tableWriter.ts'

// Only first claims take turns: once a number is there, the claim's own statement sees it. A partition whose owner hangs in its
// transaction thus keeps no claim of another partition waiting.
const firstClaimTurnText = `SELECT pg_advisory_xact_lock(hashtextextended($4, 0)) WHERE $3::integer IS NOT NULL
AND NOT EXISTS (SELECT FROM stream_task WHERE pipeline = $1 AND topic = $2 AND topic_partitions IS NOT NULL)`

const claimText = `WITH known AS (SELECT max(topic_partitions) AS partitions FROM stream_task WHERE pipeline = $1 AND topic = $2)
INSERT INTO stream_task AS t (pipeline, topic, partition, generation, owner, claimed_at, topic_partitions)
SELECT $1, $2, $3, 1, $4, now(), $5 FROM known
WHERE CASE WHEN known.partitions <> $5::integer AND NOT $6::boolean
  THEN refuse('MR003', format('the topic had %s partitions at a claim before, not %s', known.partitions, $5::integer)) ELSE true END
ON CONFLICT (pipeline, topic, partition) DO UPDATE SET generation = t.generation + 1, owner = excluded.owner, claimed_at = now(),
  topic_partitions = coalesce(excluded.topic_partitions, t.topic_partitions)
RETURNING generation, next_offset, watermark, archive_next_offset, log_id, leader_epoch, outbox_id, is_outbox_named, commits`

const knownPartitionsText = `SELECT max(topic_partitions) AS partitions FROM stream_task WHERE pipeline = $1 AND topic = $2`

const readStateText = `SELECT kind, body FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 ORDER BY sequence`

const fenceText = `WITH fenced AS (
  UPDATE stream_task SET next_offset = $5, watermark = $6, archive_next_offset = $7,
    state_bytes = $9::bigint + CASE WHEN $8::boolean THEN 0 ELSE state_bytes END, committed_at = now(),
    log_id = coalesce($10, log_id), leader_epoch = $11, commits = commits + 1
  WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND generation = $4 AND commits = $12
    AND (next_offset IS NULL OR next_offset <= $5)
    AND (archive_next_offset IS NULL OR $7::bigint IS NULL OR archive_next_offset <= $7)
  RETURNING 1
) SELECT CASE WHEN count(*) = 0 THEN refuse('MR001', 'the claim is not the newest, or an offset would go down') END FROM fenced`

const explainFenceText = `SELECT generation, owner, next_offset, archive_next_offset, commits FROM stream_task
WHERE pipeline = $1 AND topic = $2 AND partition = $3`

const baseText = `WITH older AS (DELETE FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 RETURNING sequence)
INSERT INTO task_state (pipeline, topic, partition, sequence, kind, body)
SELECT $1, $2, $3, coalesce(max(sequence), 0) + 1, 'base', $4 FROM older`

const frameText = `INSERT INTO task_state (pipeline, topic, partition, sequence, kind, body)
SELECT $1, $2, $3, coalesce(max(sequence), 0) + 1, $4, $5 FROM task_state
WHERE pipeline = $1 AND topic = $2 AND partition = $3`

const voidText = `DELETE FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND sequence < (
  SELECT max(sequence) FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND kind = 'first')`

const givenUpText = `DELETE FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND kind IN ('first', 'further') AND sequence > (
  SELECT coalesce(max(sequence), 0) FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND kind IN ('base', 'last'))`

export const countStateBytesText = `
UPDATE stream_task SET state_bytes = (SELECT coalesce(sum(octet_length(body)), 0) FROM task_state
  WHERE task_state.pipeline = $1 AND task_state.topic = $2 AND task_state.partition = $3)
WHERE pipeline = $1 AND topic = $2 AND partition = $3`

/** What tells the whole of a part of the record, however much of it the letter keeps: that is a setting, and may have changed. */
const wholeOf = (letter: string, part: 'key' | 'payload') =>
  `coalesce(${letter}.cut #>> '{${part},sha256}', encode(sha256(${letter}.${part}), 'hex'))`

// Whose a row is depends on what other tasks have done, so a run that is repeated may set aside other values: the letter says what the last run did.
const deadLetterText = `INSERT INTO dead_letter AS t
  (pipeline, topic, partition, "offset", operator, ordinal, reason, detail, record_time, key, headers, payload, cut)
SELECT $1, $2, $3, * FROM unnest($4::bigint[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::timestamptz[], $10::bytea[], $11::jsonb[],
  $12::bytea[], $13::jsonb[])
ON CONFLICT (pipeline, topic, partition, "offset", operator, ordinal) DO UPDATE SET reason = excluded.reason, detail = excluded.detail,
  record_time = excluded.record_time, key = excluded.key, headers = excluded.headers, payload = excluded.payload, cut = excluded.cut
WHERE CASE WHEN (t.reason, left(t.detail, 2000), t.record_time, ${wholeOf('t', 'key')}, ${wholeOf('t', 'payload')})
    IS NOT DISTINCT FROM (excluded.reason, left(excluded.detail, 2000), excluded.record_time, ${wholeOf('excluded', 'key')}, ${wholeOf('excluded', 'payload')})
    AND (t.cut -> 'headers' IS NOT NULL OR excluded.cut -> 'headers' IS NOT NULL OR t.headers IS NOT DISTINCT FROM excluded.headers) THEN false
  WHEN '${elsewhereReason}' IN (t.reason, excluded.reason) THEN true
  ELSE refuse('MR002', format('dead letter %s/%s/%s is stored as "%s: %s", which differs from "%s: %s"; it was not made from the same record by the same code',
    t."offset", t.operator, t.ordinal, t.reason, left(t.detail, 200), excluded.reason, left(excluded.detail, 200))) END`

const objectText = `INSERT INTO archive_object AS t
  (pipeline, topic, partition, first_offset, last_offset, key, record_count, size_bytes, sha256, min_timestamp, max_timestamp, symbols)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (pipeline, topic, partition, first_offset) DO UPDATE SET key = t.key
WHERE CASE WHEN (t.key, t.sha256, t.last_offset) IS DISTINCT FROM (excluded.key, excluded.sha256, excluded.last_offset)
  THEN refuse('MR002', format('the manifest holds %s with sha256 %s, not %s with %s; the archive was not made from the same records', t.key, t.sha256, excluded.key, excluded.sha256))
  ELSE false END`

const inputText = `INSERT INTO task_input AS t (pipeline, topic, partition, input_topic, input_partition, next_offset, archive_next_offset, log_id, leader_epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (pipeline, topic, partition, input_topic, input_partition) DO UPDATE SET next_offset = excluded.next_offset,
  archive_next_offset = excluded.archive_next_offset, log_id = coalesce(excluded.log_id, t.log_id), leader_epoch = excluded.leader_epoch
WHERE CASE WHEN t.next_offset > excluded.next_offset OR t.archive_next_offset > excluded.archive_next_offset
  THEN refuse('MR001', 'the offset of an input would go down') ELSE true END`

const readInputsText = `SELECT input_topic, input_partition, next_offset, archive_next_offset, log_id, leader_epoch FROM task_input WHERE pipeline = $1 AND topic = $2 AND partition = $3`

const readSkippedText = `SELECT input_topic, input_partition, from_offset::float8 AS "fromOffset", to_offset::float8 AS "toOffset" FROM skipped_range
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND kind <> 'rewind' AND taken_back_at IS NULL ORDER BY from_offset`

const noteText = `INSERT INTO merge_note (pipeline, topic, partition, input, "offset", is_first, offsets)
SELECT $1, $2, $3, input, at, is_first, string_to_array(offsets, ',')::bigint[]
FROM unnest($4::integer[], $5::bigint[], $6::boolean[], $7::text[]) AS note (input, at, is_first, offsets) ON CONFLICT DO NOTHING`

const readNotesText = `SELECT input, offsets::float8[] AS offsets, is_first AS "isFirst" FROM merge_note
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND input = $4 AND "offset" >= $5 ORDER BY "offset", is_first DESC LIMIT $6`

// A run that is repeated is told what it was told before, so another answer is that of a run that asks anew.
const answerText = `INSERT INTO lookup_answer AS t (pipeline, topic, partition, input, "offset", operator, ordinal, key, at, answer, is_failure)
SELECT $1, $2, $3, * FROM unnest($4::integer[], $5::bigint[], $6::text[], $7::integer[], $8::text[], $9::bigint[], $10::text[], $11::boolean[])
ON CONFLICT (pipeline, topic, partition, input, "offset", operator, ordinal) DO UPDATE SET key = excluded.key, at = excluded.at, answer = excluded.answer,
  is_failure = excluded.is_failure
WHERE (t.key, t.at, t.answer, t.is_failure) IS DISTINCT FROM (excluded.key, excluded.at, excluded.answer, excluded.is_failure)`

const readAnswersText = `SELECT input, "offset"::float8 AS "offset", operator, ordinal, key, at::float8 AS at, answer, is_failure AS "isFailure" FROM lookup_answer
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND input = $4 AND "offset" >= $5 ORDER BY "offset", operator, ordinal LIMIT $6`

const archivedText = `SELECT (SELECT (last_offset + 1)::float8 FROM archive_object AS object
  WHERE object.pipeline = $1 AND object.topic = input.topic AND object.partition = input.partition ORDER BY first_offset DESC LIMIT 1) AS until
FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS input (topic, partition, number) ORDER BY number`

const stepText = `INSERT INTO idle_advance (pipeline, topic, partition, "offset", watermark, is_end, others, clock, sequence)
SELECT $1, $2, $3, at, watermark, is_end, string_to_array(others, ',')::bigint[], clock, sequence
FROM unnest($4::bigint[], $5::bigint[], $6::boolean[], $7::text[], $8::text[], $9::bigint[]) AS step (at, watermark, is_end, others, clock, sequence)
ON CONFLICT DO NOTHING`

const readStepsText = `SELECT "offset"::float8 AS "offset", watermark::float8 AS watermark, is_end AS "isEnd", others::float8[] AS others, clock,
  sequence::float8 AS sequence FROM idle_advance
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND (sequence, "offset", others, watermark, is_end, clock) > ($4, $5, $6::bigint[], $7, $8, $9)
ORDER BY sequence, "offset", others, watermark, is_end, clock LIMIT $10`

/** Waits for first claims of the same pipeline and topic, which end with their transactions; others wait for nothing. */
export const firstClaimTurnStatement = ({ pipeline, topic }: TaskId, topicPartitions: number | null) =>
  prepared(firstClaimTurnText, [pipeline, topic, topicPartitions, `millrace claim ${pipeline} ${topic}`])
/** Ends the transaction (MR003) when the topic had another number of partitions and the pipeline refuses that. */
export const claimStatement = (task: TaskId, owner: string, topicPartitions: number | null, growth: PartitionGrowth) =>
  prepared(claimText, [...idOf(task), owner, topicPartitions, growth === 'allow'])
export const knownPartitionsStatement = ({ pipeline, topic }: TaskId) =>
  prepared(knownPartitionsText, [pipeline, topic])
export const readStateStatement = (task: TaskId) => prepared(readStateText, idOf(task))
export const readStepsStatement = (task: TaskId, after: RecordedStep, limit: number) =>
  prepared(readStepsText, [
    ...idOf(task),
    after.sequence ?? 0,
    after.offset,
    after.otherOffsets ?? [],
    after.watermark,
    after.isEnd,
    escapeText(after.clock ?? ''),
    limit,
  ])
/** What a person has decided to leave out, of all inputs. */
export const readSkippedStatement = (task: TaskId) => prepared(readSkippedText, idOf(task))
export const readInputsStatement = (task: TaskId) => prepared(readInputsText, idOf(task))
/** Where the manifest ends in each input. */
export const archivedStatement = (task: TaskId) => {
  const places = [task, ...otherPlaces(task)]
  return prepared(archivedText, [task.pipeline, places.map(({ topic }) => topic), places.map((one) => one.partition)])
}
export const readNotesStatement = (task: TaskId, input: number, fromOffset: number, limit: number) =>
  prepared(readNotesText, [...idOf(task), input, fromOffset, limit])
export const readAnswersStatement = (task: TaskId, input: number, fromOffset: number, limit: number) =>
  prepared(readAnswersText, [...idOf(task), input, fromOffset, limit])
export const explainFenceStatement = (task: TaskId) => prepared(explainFenceText, idOf(task))

/**
 * Ends the transaction (MR001) unless the claim is the newest, no offset goes down and the database has all checkpoints before.
 * @param commits how many there were
 */
export function fenceStep(claim: Claim, checkpoint: Checkpoint, commits: number): Step {
  const { nextOffset, watermark, archiveNextOffset } = checkpoint
  const frames = keptFrames([], framesOf(checkpoint))
  const isBase = frames[0]?.kind === 'base'
  const bytes = frames.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0)
  return run(fenceText, [
    ...idOf(claim.task),
    claim.generation,
    nextOffset,
    watermark,
    archiveNextOffset,
    isBase,
    bytes,
    checkpoint.logId ?? null,
    checkpoint.leaderEpoch ?? null,
    commits,
  ])
}

/** Stores the frames of a checkpoint, and drops those that they make void. */
export function stateSteps(task: TaskId, checkpoint: Checkpoint): readonly Step[] {
  const id = idOf(task)
  return framesOf(checkpoint).flatMap(({ kind, body }) => {
    const text = escapeText(body)
    const stored =
      kind === 'base' ? run(baseText, [...id, text], body.length) : run(frameText, [...id, kind, text], body.length)
    if (kind === 'first') return [run(givenUpText, id), stored, run(countStateBytesText, id)]
    return kind === 'last' ? [stored, run(voidText, id), run(countStateBytesText, id)] : [stored]
  })
}

const lettersPerStatement = 500

/** End the transaction (MR002) when a letter is stored with another content. */
export function deadLetterSteps(task: TaskId, letters: readonly DeadLetter[]): readonly Step[] {
  const inputs = [...new Set(letters.map(({ input = 0 }) => input))]
  return inputs.flatMap((input) =>
    letterSteps(
      taskOfInput(task, input),
      letters.filter((letter) => (letter.input ?? 0) === input),
    ),
  )
}

/** What is kept of the records of one input stands under its own topic and partition. */
export function taskOfInput(task: TaskId, input: number): TaskId {
  return { ...task, ...placeOfInput(task, input) }
}

function letterSteps(task: TaskId, letters: readonly DeadLetter[]): readonly Step[] {
  return withoutRepeats(letters).flatMap((distinct) =>
    [...statementParts(distinct, letterBytes, lettersPerStatement)].map(({ items, bytes }) => ({
      bytes,
      statement: () => toRun(deadLetterText, letterValues(task, items)),
    })),
  )
}

function letterValues(task: TaskId, letters: readonly DeadLetter[]): readonly Parameter[] {
  const array = (of: (letter: DeadLetter) => string | null) =>
    `{${letters.map((letter) => arrayElement(of(letter))).join(',')}}`
  return [
    ...idOf(task),
    array((letter) => String(letter.offset)),
    array((letter) => escapeText(letter.operator)),
    array((letter) => String(letter.ordinal)),
    array((letter) => escapeText(letter.reason)),
    array((letter) => escapeText(letter.detail)),
    // An absurd time is a reason to be here and must not be one to fail; the detail tells it.
    array((letter) => (letter.recordTime === null ? null : timestampText(Math.floor(letter.recordTime)))),
    array((letter) => byteaText(letter.key)),
    array((letter) => headersText(letter.headers)),
    array((letter) => byteaText(letter.payload)),
    array((letter) => (letter.cut === undefined ? null : JSON.stringify(letter.cut))),
  ]
}

/** PostgreSQL refuses to meet a row twice in one statement, so a letter that repeats another begins the next one. */
function withoutRepeats(letters: readonly DeadLetter[]): readonly (readonly DeadLetter[])[] {
  const parts: DeadLetter[][] = []
  const met = new Set<string>()
  for (const letter of letters) {
    const identity = `${letter.offset}/${letter.ordinal}/${letter.operator}`
    if (parts.length === 0 || met.has(identity)) {
      parts.push([])
      met.clear()
    }
    parts.at(-1)?.push(letter)
    met.add(identity)
  }
  return parts
}

/** Ends the transaction (MR002) when the manifest holds something else at this offset. */
export function objectStep(task: TaskId, object: ArchivedObject): Step {
  return run(objectText, [
    ...idOf(taskOfInput(task, object.input ?? 0)),
    object.firstOffset,
    object.lastOffset,
    object.key,
    object.recordCount,
    object.sizeBytes,
    object.sha256,
    timestampText(clampTime(object.minTimestamp)),
    timestampText(clampTime(object.maxTimestamp)),
    `{${object.symbols.map((symbol) => arrayElement(escapeText(symbol))).join(',')}}`,
  ])
}

/** Stores what moved time without a record. */
export function recordedStepsStep(task: TaskId, { idleAdvances, inputEnds = [] }: Checkpoint): Step {
  const steps: readonly Omit<RecordedStep, 'isEnd'>[] = [...idleAdvances, ...inputEnds]
  const array = (of: (step: Omit<RecordedStep, 'isEnd'>, i: number) => unknown) =>
    `{${steps.map((step, i) => of(step, i)).join(',')}}`
  return run(stepText, [
    ...idOf(task),
    array((step) => step.offset),
    array((step) => step.watermark),
    array((_, i) => i >= idleAdvances.length),
    array((step) => quoteElement((step.otherOffsets ?? []).join(','))),
    array((step) => quoteElement(escapeText(step.clock ?? ''))),
    array((step) => step.sequence ?? 0),
  ])
}

/** End the transaction (MR001) where an offset would go down. */
export function inputSteps(task: TaskId, positions: readonly InputPosition[]): readonly Step[] {
  const places = otherPlaces(task)
  return positions.map(({ nextOffset, archiveNextOffset, logId, leaderEpoch }, i) => {
    const { topic, partition } = places[i] as InputPlace
    const place = [topic, partition, nextOffset, archiveNextOffset, logId ?? null, leaderEpoch ?? null]
    return run(inputText, [...idOf(task), ...place])
  })
}

/** Stores where inputs were merged in another order than by their records. */
export function mergeNotesStep(task: TaskId, notes: readonly MergeNote[]): Step {
  const array = (of: (note: MergeNote) => unknown) => `{${notes.map(of).join(',')}}`
  return run(noteText, [
    ...idOf(task),
    array(({ input }) => input),
    array(({ input, offsets }) => offsets[input]),
    array(({ isFirst = false }) => isFirst),
    array(({ offsets }) => quoteElement(offsets.join(','))),
  ])
}

const answersPerStatement = 1_000

/** Stores what was answered from outside. */
export function answerSteps(task: TaskId, answers: readonly LookupAnswer[]): readonly Step[] {
  const bytesOf = ({ key, answer }: LookupAnswer) => key.length + answer.length + 40
  return [...statementParts(answers, bytesOf, answersPerStatement)].map(({ items, bytes }) => ({
    bytes,
    statement: () => {
      const array = (of: (answer: LookupAnswer) => unknown) => `{${items.map(of).join(',')}}`
      const values = [
        ...idOf(task),
        array(({ input }) => input),
        array(({ offset }) => offset),
        array(({ operator }) => arrayElement(escapeText(operator))),
        array(({ ordinal }) => ordinal),
        array(({ key }) => arrayElement(escapeText(key))),
        array(({ at }) => at ?? 'NULL'),
        array(({ answer }) => arrayElement(escapeText(answer))),
        array(({ isFailure }) => isFailure),
      ]
      return toRun(answerText, values)
    },
  }))
}
