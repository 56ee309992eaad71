import type { StoredMessage } from '../../runtime/log/destination.ts'
import { headersBytes } from '../../runtime/log/encodeHeaders.ts'
import type { Claim, MessageWrite, TaskId } from '../../runtime/store/checkpoint.ts'
import type { MessagePage } from '../../runtime/store/outbox.ts'
import { escapeText, timestampText } from './columnText.ts'
import { headersText } from './headersText.ts'
import { arrayElement, byteaText, idOf, prepared, toRun } from './statement.ts'
import { statementParts } from './statementParts.ts'
import type { Step } from './step.ts'

const messageText = `INSERT INTO outbox (pipeline, topic, partition, outlet, sequence, event_time, key, value, headers)
SELECT $1, $2, $3, $4, * FROM unnest($5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::jsonb[])`

/** The same, but for those whose identity the outlet has had before. */
const identifiedText = `WITH given AS (
  SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::jsonb[], $10::text[])
    AS m(sequence, event_time, key, value, headers, identity)
), taken AS (
  INSERT INTO message_identity (pipeline, outlet, identity)
  SELECT $1, $4, identity FROM given WHERE identity IS NOT NULL ORDER BY identity ON CONFLICT DO NOTHING RETURNING identity
)
INSERT INTO outbox (pipeline, topic, partition, outlet, sequence, event_time, key, value, headers, identity)
SELECT $1, $2, $3, $4, sequence, event_time, key, value, headers, identity FROM given
WHERE identity IS NULL OR (identity IN (SELECT identity FROM taken)
  AND sequence = (SELECT min(same.sequence) FROM given AS same WHERE same.identity = given.identity))`

const generationText = `SELECT generation::float8 AS generation, owner FROM stream_task WHERE pipeline = $1 AND topic = $2 AND partition = $3`

const ofOutlet = 'pipeline = $1 AND topic = $2 AND partition = $3 AND outlet = $4'

const pageOf = (
  condition: string,
) => `SELECT sequence::float8 AS sequence, event_time::float8 AS time, key, value, headers, refusal,
  (extract(epoch FROM refused_at) * 1000)::float8 AS "refusedAt", is_retried AS "isRetried" FROM (
  SELECT *, sum(coalesce(length(key), 0) + coalesce(length(value), 0) + length(headers::text)) OVER (ORDER BY sequence) AS bytes,
    row_number() OVER (ORDER BY sequence) AS number FROM (
    SELECT * FROM outbox WHERE ${ofOutlet} AND sequence > $5 AND ${condition} ORDER BY sequence LIMIT $6
  ) AS first
) AS counted WHERE bytes <= $7 OR number = 1 ORDER BY sequence`

const waitingText = pageOf('refused_at IS NULL')
const refusedText = pageOf('refused_at IS NOT NULL')
const retriedText = pageOf('refused_at IS NOT NULL AND is_retried')
const forgetText = `DELETE FROM outbox WHERE ${ofOutlet} AND sequence <= $5 AND refused_at IS NULL`
const refuseText = `UPDATE outbox SET refusal = $6, refused_at = $7, is_retried = false WHERE ${ofOutlet} AND sequence = $5`
const countRefusedText = `SELECT count(*)::float8 AS count FROM outbox WHERE ${ofOutlet} AND refused_at IS NOT NULL`
const retryText = `UPDATE outbox SET is_retried = true WHERE ${ofOutlet} AND refused_at IS NOT NULL
AND ($5::bigint[] IS NULL OR sequence = ANY ($5))`
const forgetRefusedText = `DELETE FROM outbox WHERE ${ofOutlet} AND sequence = $5 AND refused_at IS NOT NULL`

const idOfOutlet = (task: TaskId, outlet: string) => [...idOf(task), escapeText(outlet)]

const page = (text: string, task: TaskId, outlet: string, { after, maxMessages, maxBytes }: MessagePage) =>
  prepared(text, [...idOfOutlet(task, outlet), after, maxMessages, maxBytes])

export const generationStatement = ({ task }: Claim) => prepared(generationText, idOf(task))
export const waitingStatement = (task: TaskId, outlet: string, of: MessagePage) => page(waitingText, task, outlet, of)
export const refusedStatement = (task: TaskId, outlet: string, of: MessagePage) => page(refusedText, task, outlet, of)
export const retriedStatement = (task: TaskId, outlet: string, of: MessagePage) => page(retriedText, task, outlet, of)
export const forgetStatement = (task: TaskId, outlet: string, upToSequence: number) =>
  prepared(forgetText, [...idOfOutlet(task, outlet), upToSequence])
export const refuseStatement = (task: TaskId, outlet: string, sequence: number, refusal: string, at: number) =>
  prepared(refuseText, [...idOfOutlet(task, outlet), sequence, escapeText(refusal), timestampText(at)])
export const countRefusedStatement = (task: TaskId, outlet: string) =>
  prepared(countRefusedText, idOfOutlet(task, outlet))
export const retryStatement = (task: TaskId, outlet: string, sequences: readonly number[] | null) =>
  prepared(retryText, [...idOfOutlet(task, outlet), sequences])
export const forgetRefusedStatement = (task: TaskId, outlet: string, sequence: number) =>
  prepared(forgetRefusedText, [...idOfOutlet(task, outlet), sequence])

const messagesPerStatement = 1_000

/** Stores the messages of one outlet. */
export function messageSteps(task: TaskId, { outlet, messages }: MessageWrite): readonly Step[] {
  return [...statementParts(messages, messageBytes, messagesPerStatement)].map(({ items, bytes }) => ({
    bytes,
    statement: () => {
      const values = [
        ...idOfOutlet(task, outlet),
        `{${items.map(({ sequence }) => sequence).join(',')}}`,
        `{${items.map(({ time }) => time).join(',')}}`,
        `{${items.map(({ key }) => arrayElement(byteaText(key))).join(',')}}`,
        `{${items.map(({ value }) => arrayElement(byteaText(value))).join(',')}}`,
        `{${items.map(({ headers = [] }) => arrayElement(headersText(headers))).join(',')}}`,
      ]
      if (items.every(({ identity }) => identity === undefined)) return toRun(messageText, values)
      const identities = items.map(({ identity }) => arrayElement(identity === undefined ? null : escapeText(identity)))
      return toRun(identifiedText, [...values, `{${identities.join(',')}}`])
    },
  }))
}

function messageBytes({ key, value, headers = [], identity = '' }: StoredMessage): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + headersBytes(headers) + identity.length
}
