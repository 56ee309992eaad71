import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'

const found = `
SELECT EXISTS (SELECT FROM log_topic WHERE topic = $1) AS "isEmbedded",
       EXISTS (SELECT FROM stream_task WHERE topic = $1) AS "isProcessed"`

/**
 * Refuses to go on in Kafka with offsets of the embedded log, or the other way round: a topic of the same name there is another log, in which those
 * offsets mean other records. Throws `ConfigurationError`.
 */
export async function checkLogKind(pool: pg.Pool, topic: string, kind: 'kafka' | 'embedded'): Promise<void> {
  const { rows } = await pool.query<{ isEmbedded: boolean; isProcessed: boolean }>(found, [topic])
  const { isEmbedded = false, isProcessed = false } = rows[0] ?? {}
  if (!isProcessed || isEmbedded === (kind === 'embedded')) return
  const [was, is] = isEmbedded ? ['the embedded log', 'Kafka (KAFKA_BROKERS)'] : ['Kafka', 'the embedded log']
  throw new ConfigurationError(
    `topic ${topic} was processed from ${was} before, and the offsets in this database belong to that; now the log would be ${is}. ` +
      'Use another database or data folder, or another topic with --topic.',
    { topic },
  )
}
