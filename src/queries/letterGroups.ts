import type pg from 'pg'
import type { DeadLetterKey } from './deadLetters.ts'

/** Dead letters of one reason that one operator has set aside. */
export interface LetterGroup {
  readonly pipeline: string
  readonly topic: string
  readonly operator: string
  readonly reason: string
  readonly waiting: number
  readonly redriven: number
  /** When the newest was set aside, ms UTC. */
  readonly newestAt: number
  /** What was said of the newest. */
  readonly detail: string
}

const mostGroups = 500

const groups = `SELECT pipeline, topic, operator, reason,
  (count(*) FILTER (WHERE redriven_at IS NULL))::float8 AS waiting, (count(*) FILTER (WHERE redriven_at IS NOT NULL))::float8 AS redriven,
  (extract(epoch FROM max(created_at)) * 1000)::float8 AS "newestAt", (array_agg(detail ORDER BY created_at DESC))[1] AS detail
FROM dead_letter GROUP BY pipeline, topic, operator, reason
ORDER BY count(*) FILTER (WHERE redriven_at IS NULL) DESC, max(created_at) DESC LIMIT ${mostGroups}`

/** Those with the most letters that wait first. */
export async function readLetterGroups(client: pg.Pool | pg.ClientBase): Promise<readonly LetterGroup[]> {
  return (await client.query<LetterGroup>(groups)).rows
}

/** A part of what a dead letter keeps of its record's value. */
export interface LetterBytes {
  /** How many bytes of it are kept. */
  readonly total: number
  readonly bytes: Buffer
}

// The database cuts what it reads: a payload may hold many MB, and a screen shows the beginning.
const part = `SELECT octet_length(payload)::float8 AS total, substring(payload FROM $7::int + 1 FOR $8::int) AS bytes FROM dead_letter
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND "offset" = $4 AND operator = $5 AND ordinal = $6 AND payload IS NOT NULL`

/** Null where there is no such letter, or it has no payload. */
export async function readLetterBytes(
  client: pg.Pool | pg.ClientBase,
  key: DeadLetterKey,
  from: number,
  count: number,
): Promise<LetterBytes | null> {
  const { pipeline, topic, partition, offset, operator, ordinal } = key
  const { rows } = await client.query<LetterBytes>(part, [
    pipeline,
    topic,
    partition,
    offset,
    operator,
    ordinal,
    from,
    count,
  ])
  return rows[0] ?? null
}
