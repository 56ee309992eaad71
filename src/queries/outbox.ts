import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import { escapeText, unescapeText } from '../sinks/postgres/columnText.ts'

/** Which message: its primary key, which is also what its destination is told. */
export interface MessageKey {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly outlet: string
  readonly sequence: number
}

export interface RefusedMessageRow extends MessageKey {
  readonly refusal: string
  /** ms UTC. */
  readonly refusedAt: number
  readonly isRetried: boolean
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** What one outlet of one task has in the outbox. */
export interface OutletCount extends Omit<MessageKey, 'sequence'> {
  readonly waiting: number
  /** How long the oldest of those has been waiting; null where none is. */
  readonly oldestAgeMs: number | null
  readonly refused: number
}

const counted = `SELECT pipeline, topic, partition, outlet,
  (count(*) FILTER (WHERE refused_at IS NULL))::float8 AS waiting,
  (extract(epoch FROM now() - min(stored_at) FILTER (WHERE refused_at IS NULL)) * 1000)::float8 AS "oldestAgeMs",
  (count(*) FILTER (WHERE refused_at IS NOT NULL))::float8 AS refused
FROM outbox GROUP BY pipeline, topic, partition, outlet ORDER BY pipeline, topic, partition, outlet`

const refused = `SELECT pipeline, topic, partition, outlet, sequence::float8 AS sequence, refusal,
  (extract(epoch FROM refused_at) * 1000)::float8 AS "refusedAt", is_retried AS "isRetried", key, value
FROM outbox WHERE refused_at IS NOT NULL ORDER BY refused_at DESC, pipeline, topic, partition, outlet, sequence DESC LIMIT $1`

const retryAll = 'UPDATE outbox SET is_retried = true WHERE refused_at IS NOT NULL'

const retryOne = `${retryAll} AND (pipeline, topic, partition, outlet, sequence) = ($1, $2, $3::int, $4, $5::bigint)`

export async function countOutbox(client: pg.ClientBase): Promise<readonly OutletCount[]> {
  const { rows } = await client.query<OutletCount>(counted)
  return rows.map((row) => ({ ...row, outlet: unescapeText(row.outlet) }))
}

/** The newest refusals first. */
export async function newestRefused(client: pg.Client, limit: number): Promise<readonly RefusedMessageRow[]> {
  const { rows } = await client.query<RefusedMessageRow>(refused, [limit])
  return rows.map((row) => ({ ...row, outlet: unescapeText(row.outlet), refusal: unescapeText(row.refusal) }))
}

/** Has every refused message sent again, and gives how many. */
export async function retryAllRefused(client: pg.ClientBase): Promise<number> {
  return (await client.query(retryAll)).rowCount ?? 0
}

/** Has one refused message sent again; false where there is none of this name. */
export async function retryOneRefused(client: pg.Client, key: MessageKey): Promise<boolean> {
  const { pipeline, topic, partition, outlet, sequence } = key
  const { rowCount } = await client.query(retryOne, [pipeline, topic, partition, escapeText(outlet), sequence])
  return rowCount === 1
}

/** `hot/readings/0/pager/17`. */
export function formatMessageKey({ pipeline, topic, partition, outlet, sequence }: MessageKey): string {
  return [pipeline, topic, partition, outlet, sequence].join('/')
}

/** Throws `ConfigurationError` on anything that `formatMessageKey` does not make. */
export function parseMessageKey(text: string): MessageKey {
  const match = /^([^/]+)\/([^/]+)\/(\d{1,9})\/(.+)\/(\d{1,15})$/s.exec(text)
  if (match === null) {
    throw new ConfigurationError(
      `"${text}" is not the id of a message; allowed: pipeline/topic/partition/outlet/number as \`outbox list\` prints it.`,
    )
  }
  const [, pipeline = '', topic = '', partition, outlet = '', sequence] = match
  return { pipeline, topic, partition: Number(partition), outlet, sequence: Number(sequence) }
}
