import { type Clock, systemClock } from '../../../runtime/clock.ts'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { Cluster } from '../wire/cluster.ts'
import type { Compression } from './compressedBatch.ts'
import { KafkaLogWriter } from './kafkaLogWriter.ts'
import type { KafkaWriter } from './kafkaWriter.ts'
import { ensurePositions, positionsTopic } from './positions.ts'

/** Which topic to append to, and how. The topic must exist. */
export interface KafkaWriterOptions {
  readonly topic: string
  /** Default zstd. */
  readonly compression?: Compression
  /**
   * After this the broker gives up the transaction of a writer that has died in mid-append; until then readers wait at it. Longer than an append may
   * take. Default 15 s.
   */
  readonly transactionTimeoutMs?: number
  readonly clock?: Clock
}

/**
 * Opens a writer to a topic that exists, and makes the compacted topic `<topic>.positions` beside it when it is missing.
 *
 * Needs Apache Kafka 3.2 or later, whichever client reads. Throws `ConfigurationError` for wrong credentials, certificates or rights and
 * for a topic that does not exist, `RetryableError` while no broker answers.
 */
export async function openKafkaWriter(settings: KafkaSettings, options: KafkaWriterOptions): Promise<KafkaWriter> {
  const { topic, compression = 'zstd', transactionTimeoutMs = 15_000, clock = systemClock } = options
  const data = new Cluster(settings, topic, clock, 'append')
  const positions = new Cluster(settings, positionsTopic(topic), clock, 'append')
  try {
    await data.refresh()
    await ensurePositions(positions)
    return new KafkaLogWriter({ data, positions, compression, transactionTimeoutMs })
  } catch (error) {
    data.close()
    positions.close()
    throw error
  }
}
