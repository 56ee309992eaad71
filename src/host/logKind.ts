import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import { asMillraceError } from '../sinks/postgres/errors.ts'

const found = `
SELECT EXISTS (SELECT FROM log_topic WHERE topic = $1) AS "isEmbedded",
       EXISTS (SELECT FROM stream_task WHERE topic = $1 AND (owner <> '' OR next_offset IS NOT NULL))
         OR EXISTS (SELECT FROM task_input WHERE input_topic = $1) AS "isProcessed"`

/** Whether the data set's embedded log has the topic. */
export async function isEmbeddedTopic(client: pg.ClientBase, topic: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    'SELECT EXISTS (SELECT FROM log_topic WHERE topic = $1) AS found',
    [topic],
  )
  return rows[0]?.found === true
}

/**
 * Refuses to go on in Kafka with offsets of the embedded log, or the other way round: a topic of the same name there is another log, in which those
 * offsets mean other records. Throws `ConfigurationError`, and `RetryableError` while the database is away.
 */
export async function checkLogKind(pool: pg.Pool, topic: string, kind: 'kafka' | 'embedded'): Promise<void> {
  const { rows } = await pool
    .query<{ isEmbedded: boolean; isProcessed: boolean }>(found, [topic])
    .catch((error: unknown) => {
      throw asMillraceError(error, `find out which log topic ${topic} is in`, { topic })
    })
  const { isEmbedded = false, isProcessed = false } = rows[0] ?? {}
  if (!isProcessed || isEmbedded === (kind === 'embedded')) return
  const [was, is] = isEmbedded ? ['the embedded log', 'Kafka (KAFKA_BROKERS)'] : ['Kafka', 'the embedded log']
  throw new ConfigurationError(
    `topic ${topic} was processed from ${was} before, and the offsets in this database belong to that; now the log would be ${is}. ` +
      'Use another database or data folder, or another topic (--topic, or topic in the settings).',
    { topic },
  )
}
