import type { ArchivedObject, Checkpoint, Claim, DeadLetter, RecordedStep, TaskId } from '../../runtime/checkpoint.ts'
import { clampTime, escapeText, timestampText } from './columnText.ts'
import { headersText } from './headersText.ts'
import { quoteElement, type Step, statementName } from './tableWriter.ts'

const claimText = `INSERT INTO stream_task AS t (pipeline, topic, partition, generation, owner, claimed_at)
VALUES ($1, $2, $3, 1, $4, now())
ON CONFLICT (pipeline, topic, partition) DO UPDATE SET generation = t.generation + 1, owner = excluded.owner, claimed_at = now()
RETURNING generation, next_offset, watermark, archive_next_offset, log_id`

const readStateText = `SELECT kind, body FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 ORDER BY sequence`

const fenceText = `WITH fenced AS (
  UPDATE stream_task SET next_offset = $5, watermark = $6, archive_next_offset = $7,
    state_bytes = $9::bigint + CASE WHEN $8::boolean THEN 0 ELSE state_bytes END, committed_at = now(),
    log_id = coalesce($10, log_id)
  WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND generation = $4
    AND (next_offset IS NULL OR next_offset <= $5)
    AND (archive_next_offset IS NULL OR $7::bigint IS NULL OR archive_next_offset <= $7)
  RETURNING 1
) SELECT CASE WHEN count(*) = 0 THEN refuse('MR001', 'the claim is not the newest, or an offset would go down') END FROM fenced`

const explainFenceText = `SELECT generation, owner, next_offset, archive_next_offset FROM stream_task
WHERE pipeline = $1 AND topic = $2 AND partition = $3`

const baseText = `WITH older AS (DELETE FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 RETURNING sequence)
INSERT INTO task_state (pipeline, topic, partition, sequence, kind, body)
SELECT $1, $2, $3, coalesce(max(sequence), 0) + 1, 'base', $4 FROM older`

const deltaText = `INSERT INTO task_state (pipeline, topic, partition, sequence, kind, body)
SELECT $1, $2, $3, coalesce(max(sequence), 0) + 1, 'delta', $4 FROM task_state
WHERE pipeline = $1 AND topic = $2 AND partition = $3`

const deadLetterText = `INSERT INTO dead_letter AS t
  (pipeline, topic, partition, "offset", operator, ordinal, reason, detail, record_time, key, headers, payload)
SELECT $1, $2, $3, * FROM unnest($4::bigint[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::timestamptz[], $10::bytea[], $11::jsonb[],
  $12::bytea[])
ON CONFLICT (pipeline, topic, partition, "offset", operator, ordinal) DO UPDATE SET reason = t.reason
WHERE CASE WHEN (t.reason, t.detail, t.record_time, t.key, t.headers, t.payload)
    IS DISTINCT FROM (excluded.reason, excluded.detail, excluded.record_time, excluded.key, excluded.headers, excluded.payload)
  THEN refuse('MR002', format('dead letter %s/%s/%s is stored as "%s: %s", which differs from "%s: %s"; it was not made from the same record by the same code',
    t."offset", t.operator, t.ordinal, t.reason, left(t.detail, 200), excluded.reason, left(excluded.detail, 200)))
  ELSE false END`

const objectText = `INSERT INTO archive_object AS t
  (pipeline, topic, partition, first_offset, last_offset, key, record_count, size_bytes, sha256, min_timestamp, max_timestamp, symbols)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (pipeline, topic, partition, first_offset) DO UPDATE SET key = t.key
WHERE CASE WHEN (t.key, t.sha256, t.last_offset) IS DISTINCT FROM (excluded.key, excluded.sha256, excluded.last_offset)
  THEN refuse('MR002', format('the manifest holds %s with sha256 %s, not %s with %s; the archive was not made from the same records', t.key, t.sha256, excluded.key, excluded.sha256))
  ELSE false END`

const stepText = `INSERT INTO idle_advance (pipeline, topic, partition, "offset", watermark, is_end)
SELECT $1, $2, $3, * FROM unnest($4::bigint[], $5::bigint[], $6::boolean[]) ON CONFLICT DO NOTHING`

const readStepsText = `SELECT "offset"::float8 AS "offset", watermark::float8 AS watermark, is_end AS "isEnd" FROM idle_advance
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND ("offset", watermark, is_end) > ($4, $5, $6)
ORDER BY "offset", watermark, is_end LIMIT $7`

export const claimStatement = (task: TaskId, owner: string) => prepared(claimText, [...idOf(task), owner])
export const readStateStatement = (task: TaskId) => prepared(readStateText, idOf(task))
export const readStepsStatement = (task: TaskId, after: RecordedStep, limit: number) =>
  prepared(readStepsText, [...idOf(task), after.offset, after.watermark, after.isEnd, limit])
export const explainFenceStatement = (task: TaskId) => prepared(explainFenceText, idOf(task))

/** Ends the transaction (MR001) unless the claim is the newest and no offset goes down. */
export function fenceStep(claim: Claim, checkpoint: Checkpoint): Step {
  const { nextOffset, watermark, archiveNextOffset, state } = checkpoint
  const isBase = state.kind === 'base'
  const bytes = Buffer.byteLength(state.body)
  return run(fenceText, [
    ...idOf(claim.task),
    claim.generation,
    nextOffset,
    watermark,
    archiveNextOffset,
    isBase,
    bytes,
    checkpoint.logId ?? null,
  ])
}

export function stateStep(task: TaskId, state: Checkpoint['state']): Step {
  return run(state.kind === 'base' ? baseText : deltaText, [...idOf(task), escapeText(state.body)])
}

const lettersPerStatement = 500

/** End the transaction (MR002) when a letter is stored with another content. */
export function deadLetterSteps(task: TaskId, letters: readonly DeadLetter[]): readonly Step[] {
  return lettersByStatement(letters).map((part) => {
    const array = (of: (letter: DeadLetter) => string | null) =>
      `{${part.map((letter) => arrayElement(of(letter))).join(',')}}`
    return run(deadLetterText, [
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
    ])
  })
}

/** PostgreSQL refuses to meet a row twice in one statement, so a letter that repeats another begins the next one. */
function lettersByStatement(letters: readonly DeadLetter[]): readonly (readonly DeadLetter[])[] {
  const parts: DeadLetter[][] = []
  const met = new Set<string>()
  for (const letter of letters) {
    const identity = `${letter.offset}/${letter.ordinal}/${letter.operator}`
    const last = parts.at(-1)
    if (last === undefined || last.length === lettersPerStatement || met.has(identity)) {
      parts.push([letter])
      met.clear()
    } else {
      last.push(letter)
    }
    met.add(identity)
  }
  return parts
}

function byteaText(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : `\\x${Buffer.from(bytes).toString('hex')}`
}

/** Ends the transaction (MR002) when the manifest holds something else at this offset. */
export function objectStep(task: TaskId, object: ArchivedObject): Step {
  return run(objectText, [
    ...idOf(task),
    object.firstOffset,
    object.lastOffset,
    object.key,
    object.recordCount,
    object.sizeBytes,
    object.sha256,
    timestampText(clampTime(object.minTimestamp)),
    timestampText(clampTime(object.maxTimestamp)),
    object.symbols.map(escapeText),
  ])
}

/** Stores what moved time without a record. */
export function recordedStepsStep(task: TaskId, { idleAdvances, inputEnds = [] }: Checkpoint): Step {
  const steps = [...idleAdvances, ...inputEnds]
  const offsets = `{${steps.map((step) => step.offset).join(',')}}`
  const watermarks = `{${steps.map((step) => step.watermark).join(',')}}`
  const ends = `{${steps.map((_, i) => i >= idleAdvances.length).join(',')}}`
  return run(stepText, [...idOf(task), offsets, watermarks, ends])
}

function idOf(task: TaskId): [string, string, number] {
  return [task.pipeline, task.topic, task.partition]
}

function arrayElement(text: string | null): string {
  return text === null ? 'NULL' : quoteElement(text)
}

function run(text: string, values: readonly unknown[]): Step {
  const statement = prepared(text, values)
  return (client) => client.query(statement)
}

const names = new Map<string, string>()

function prepared(text: string, values: readonly unknown[]) {
  let name = names.get(text)
  if (name === undefined) {
    name = statementName(text)
    names.set(text, name)
  }
  return { name, text, values: [...values] }
}
