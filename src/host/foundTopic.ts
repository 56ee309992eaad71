import type pg from 'pg'
import type { KafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import { withKafkaAdmin } from './kafkaTopics.ts'
import { isEmbeddedTopic } from './logKind.ts'

/** What a log holds of one partition: from which offset on, and which one the next record gets. */
export interface FoundPartition {
  readonly partition: number
  readonly earliest: number
  readonly next: number
}

/** A topic of a log, by its partitions; null where the log has none of this name, with the names of those that it has. */
export interface FoundTopic {
  readonly partitions: readonly FoundPartition[] | null
  readonly names: readonly string[]
  /** The embedded log loses no record that somebody has read. */
  readonly isEmbedded: boolean
}

const partitionsText = `SELECT partition, earliest_offset::float8 AS earliest, next_offset::float8 AS next FROM log_partition
WHERE topic = $1 ORDER BY partition`
const namesText = 'SELECT topic FROM log_topic ORDER BY topic'

/**
 * Looks a topic up in the embedded log of the connection's schema, and in Kafka where it is not there. Null where nobody can say, because it is not embedded and no brokers are
 * named.
 */
export async function findTopic(
  client: pg.ClientBase,
  kafka: KafkaSettings | null,
  topic: string,
): Promise<FoundTopic | null> {
  if (await isEmbeddedTopic(client, topic)) {
    const { rows } = await client.query<FoundPartition>(partitionsText, [topic])
    return { partitions: rows, names: [topic], isEmbedded: true }
  }
  if (kafka !== null) {
    return withKafkaAdmin(kafka, async (admin) => {
      const found = await admin.describeTopic(topic)
      return {
        partitions: found?.partitions ?? null,
        names: found === null ? await admin.topics() : [topic],
        isEmbedded: false,
      }
    })
  }
  const { rows } = await client.query<{ topic: string }>(namesText)
  return rows.length === 0 ? null : { partitions: null, names: rows.map((row) => row.topic), isEmbedded: true }
}
