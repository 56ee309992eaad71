import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { RecordHeader } from '../runtime/log/record.ts'
import type { CutParts } from '../runtime/store/keptBytes.ts'
import { type StoredHeaders, storedHeaders } from '../sinks/postgres/headersText.ts'

/** Which dead letter: its primary key. */
export interface DeadLetterKey {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly operator: string
  readonly ordinal: number
}

export interface StoredDeadLetter extends DeadLetterKey {
  readonly reason: string
  readonly detail: string
  /** ms UTC. */
  readonly recordTime: number | null
  readonly key: Buffer | null
  readonly headers: readonly RecordHeader[]
  readonly payload: Buffer | null
  /** The parts of which only the beginning is kept; null where all of the record is. */
  readonly cut: CutParts | null
  readonly createdAt: number
  readonly redrivenAt: number | null
}

type LetterRow = Omit<StoredDeadLetter, 'headers'> & { readonly headers: StoredHeaders }

export interface DeadLetterFilter {
  readonly reason: string | null
  readonly operator: string | null
  readonly topic: string | null
  readonly pipeline: string | null
  /** False leaves out those that were redriven. */
  readonly isRedrivenIncluded: boolean
}

const columns = `pipeline, topic, partition, "offset"::float8 AS "offset", operator, ordinal, reason, detail,
       (extract(epoch FROM record_time) * 1000)::float8 AS "recordTime", key, headers, payload, cut,
       floor(extract(epoch FROM created_at) * 1000)::float8 AS "createdAt",
       (extract(epoch FROM redriven_at) * 1000)::float8 AS "redrivenAt"`

const filter = `($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR operator = $2) AND ($3::text IS NULL OR topic = $3)
  AND ($4::text IS NULL OR pipeline = $4) AND ($5 OR redriven_at IS NULL)`

/** Without what may be large, of which a list shows nothing. */
const briefColumns = columns.replace(
  'key, headers, payload,',
  "NULL::bytea AS key, '[]'::jsonb AS headers, NULL::bytea AS payload,",
)

const newest = (isBrief: boolean) => `SELECT ${isBrief ? briefColumns : columns} FROM dead_letter WHERE ${filter}
ORDER BY created_at DESC, topic, partition, "offset" DESC, operator, ordinal DESC LIMIT $6`

const counted = `SELECT count(*)::float8 AS count FROM dead_letter WHERE ${filter}`

const one = `SELECT ${columns} FROM dead_letter
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND "offset" = $4 AND operator = $5 AND ordinal = $6`

const inOrder = 'pipeline, topic, partition, "offset", operator, ordinal'

// In the order in which they were set aside, page by page behind the last key. The sizes are known without reading what is large.
const waitingAfter = `SELECT ${columns} FROM (
  SELECT *, sum(bytes) OVER (ORDER BY ${inOrder}) - bytes AS before FROM (
    SELECT *, coalesce(octet_length(payload), 0) + coalesce(octet_length(key), 0) AS bytes FROM dead_letter WHERE ${filter}
      AND ($6::text IS NULL OR (pipeline, topic, partition, "offset", operator, ordinal) > ($6, $7, $8::int, $9::bigint, $10, $11::int))
    ORDER BY ${inOrder} LIMIT $12) AS page) AS sized
WHERE before < $13 ORDER BY ${inOrder}`

const stamp = `UPDATE dead_letter SET redriven_at = now()
FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::int[])
  AS sent(pipeline, topic, partition, "offset", operator, ordinal)
WHERE dead_letter.redriven_at IS NULL
  AND (dead_letter.pipeline, dead_letter.topic, dead_letter.partition, dead_letter."offset", dead_letter.operator, dead_letter.ordinal)
    = (sent.pipeline, sent.topic, sent.partition, sent."offset", sent.operator, sent.ordinal)`

function filterValues(by: DeadLetterFilter): readonly unknown[] {
  return [by.reason, by.operator, by.topic, by.pipeline, by.isRedrivenIncluded]
}

function keyValues(key: DeadLetterKey): readonly unknown[] {
  return [key.pipeline, key.topic, key.partition, key.offset, key.operator, key.ordinal]
}

function letterOf(row: LetterRow): StoredDeadLetter {
  return { ...row, headers: storedHeaders(row.headers) }
}

/** @param isBrief true for letters without key, headers and payload */
export async function newestDeadLetters(
  client: pg.ClientBase,
  by: DeadLetterFilter,
  limit: number,
  isBrief: boolean,
): Promise<readonly StoredDeadLetter[]> {
  return (await client.query<LetterRow>(newest(isBrief), [...filterValues(by), limit])).rows.map(letterOf)
}

export async function countDeadLetters(client: pg.ClientBase, by: DeadLetterFilter): Promise<number> {
  return (await client.query<{ count: number }>(counted, [...filterValues(by)])).rows[0]?.count ?? 0
}

export async function findDeadLetter(client: pg.ClientBase, key: DeadLetterKey): Promise<StoredDeadLetter | null> {
  const row = (await client.query<LetterRow>(one, [...keyValues(key)])).rows[0]
  return row === undefined ? null : letterOf(row)
}

/** At most `limit` letters behind `after`, in the order of their keys, and no more of them than hold so many bytes; but at least one, however large. */
export async function deadLettersAfter(
  client: pg.Client,
  by: DeadLetterFilter,
  after: DeadLetterKey | null,
  limit: number,
  bytes: number,
): Promise<readonly StoredDeadLetter[]> {
  const place = after === null ? [null, null, null, null, null, null] : keyValues(after)
  return (await client.query<LetterRow>(waitingAfter, [...filterValues(by), ...place, limit, bytes])).rows.map(letterOf)
}

/** Topics that have dead letters (of the pipeline, where one is named), redriven or not: an interrupted redrive of any of them is to be finished too. */
export async function deadLetterTopics(client: pg.Client, pipeline: string | null): Promise<readonly string[]> {
  const { rows } = await client.query<{ topic: string }>(
    'SELECT DISTINCT topic FROM dead_letter WHERE $1::text IS NULL OR pipeline = $1 ORDER BY topic',
    [pipeline],
  )
  return rows.map((row) => row.topic)
}

/** Stamps letters as redriven and says how many; those that are stamped already keep their time. */
export async function stampRedriven(client: pg.Client, keys: readonly DeadLetterKey[]): Promise<number> {
  const { rowCount } = await client.query(stamp, [
    keys.map((key) => key.pipeline),
    keys.map((key) => key.topic),
    keys.map((key) => key.partition),
    keys.map((key) => key.offset),
    keys.map((key) => key.operator),
    keys.map((key) => key.ordinal),
  ])
  return rowCount ?? 0
}

/** `realtime/crypto.trades.raw/2/1041/decode/0`. */
export function formatKey(key: DeadLetterKey): string {
  return [key.pipeline, key.topic, key.partition, key.offset, key.operator, key.ordinal].join('/')
}

/** Throws `ConfigurationError` on anything that `formatKey` does not make. */
export function parseKey(text: string): DeadLetterKey {
  const match = /^([^/]+)\/([^/]+)\/(\d{1,9})\/(\d{1,15})\/(.+)\/(\d{1,9})$/.exec(text)
  if (match === null) {
    throw new ConfigurationError(
      `"${text}" is not the id of a dead letter; allowed: pipeline/topic/partition/offset/operator/ordinal as \`dead-letters list\` prints it.`,
    )
  }
  const [, pipeline = '', topic = '', partition, offset, operator = '', ordinal] = match
  return { pipeline, topic, partition: Number(partition), offset: Number(offset), operator, ordinal: Number(ordinal) }
}
