import type pg from 'pg'
import type { RecordHeader } from '../runtime/log/record.ts'
import type { CutParts } from '../runtime/store/keptBytes.ts'
import { type StoredHeaders, storedHeaders } from '../sinks/postgres/headersText.ts'
import type { DeadLetterKey } from './deadLetters.ts'

/** A dead letter with the beginning of what may be large. Times are ms UTC. */
export interface LetterPreview extends DeadLetterKey {
  readonly reason: string
  readonly detail: string
  readonly recordTime: number | null
  readonly createdAt: number
  readonly redrivenAt: number | null
  readonly key: Buffer | null
  readonly keyBytes: number
  readonly headers: readonly RecordHeader[]
  readonly payload: Buffer | null
  readonly payloadBytes: number
  /** The parts of which the letter itself keeps only the beginning; null where it keeps all. */
  readonly cut: CutParts | null
}

type PreviewRow = Omit<LetterPreview, 'headers'> & { readonly headers: StoredHeaders }

// The database cuts what it reads: a payload may hold many MB, and a screen shows the beginning.
const preview = `SELECT pipeline, topic, partition, "offset"::float8 AS "offset", operator, ordinal, reason, left(detail, 4096) AS detail,
  (extract(epoch FROM record_time) * 1000)::float8 AS "recordTime", (extract(epoch FROM created_at) * 1000)::float8 AS "createdAt",
  (extract(epoch FROM redriven_at) * 1000)::float8 AS "redrivenAt", substring(key FROM 1 FOR $7::int) AS key,
  coalesce(octet_length(key), 0)::float8 AS "keyBytes", CASE WHEN octet_length(headers::text) > 65536 THEN '[]'::jsonb ELSE headers END AS headers,
  substring(payload FROM 1 FOR $7::int) AS payload, coalesce(octet_length(payload), 0)::float8 AS "payloadBytes", cut
FROM dead_letter WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND "offset" = $4 AND operator = $5 AND ordinal = $6`

/**
 * Null where there is no such letter.
 * @param bytes how many bytes of the key and of the payload to give
 */
export async function previewLetter(
  client: pg.Pool | pg.ClientBase,
  { pipeline, topic, partition, offset, operator, ordinal }: DeadLetterKey,
  bytes: number,
): Promise<LetterPreview | null> {
  const values = [pipeline, topic, partition, offset, operator, ordinal, bytes]
  const row = (await client.query<PreviewRow>(preview, values)).rows[0]
  return row === undefined ? null : { ...row, headers: storedHeaders(row.headers) }
}
