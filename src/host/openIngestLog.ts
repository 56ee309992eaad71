import type { LogWriter } from '../runtime/log.ts'
import { openPool } from '../sinks/postgres/connection.ts'
import { DatabaseProbe } from './databaseProbe.ts'
import { openEmbeddedTopics } from './embeddedTopics.ts'
import { giveUpWhenSilent } from './giveUp.ts'
import type { HostSettings } from './hostSettings.ts'
import { kafkaLocation } from './kafkaPlace.ts'
import { openKafkaWriter, prepareTopics } from './kafkaTopics.ts'
import { plainKafka } from './plainConnections.ts'
import { prepareDatabase } from './prepareDatabase.ts'
import { openRunDatabase } from './runDatabase.ts'
import type { RunTopic } from './runTopic.ts'
import type { StartWait } from './startWait.ts'

/** A topic that a feed without a pipeline beside it is brought into. */
export interface IngestLog {
  readonly writer: LogWriter
  readonly partitions: number
  /** In the topic of Kafka before; 0 in the embedded log, where nobody asks. */
  readonly records: number
  /** For people; holds no secret. */
  readonly location: string
  /** For a stop: a database that is silent is waited for no longer. Gives what ends the watch. */
  giveUpWhenSilent(): () => void
  close(): Promise<void>
}

/** Made where it is missing. */
export type IngestTopic = Omit<RunTopic, 'mayBeMade' | 'isTold'>

export interface OpenIngestLogOptions {
  readonly settings: HostSettings
  readonly topic: IngestTopic
  readonly wait: StartWait
  /** One line on the start of the embedded database. */
  readonly onProgress: (line: string) => void
  readonly onWarning: (line: string) => void
}

/** The log that an ingest appends to: the topic in Kafka, made when missing, or the embedded one, which is a database. Waits for one that is away. */
export async function openIngestLog(options: OpenIngestLogOptions): Promise<IngestLog> {
  const { settings, topic, wait, onWarning } = options
  const { kafka } = settings
  if (kafka === null) return openEmbedded(options)
  const location = kafkaLocation(kafka)
  const plain = plainKafka(kafka)
  if (plain !== null) onWarning(`warning: ${plain}`)
  const { partitions, records } = await wait.until(location, () =>
    prepareTopics({
      kafka,
      topics: [{ ...topic, mayBeMade: true, isTold: false }],
      settings: settings.topics,
      isArchived: false,
      onWarning,
    }),
  )
  const writer = await openKafkaWriter(kafka, topic.name, wait)
  return { writer, partitions, records, location, giveUpWhenSilent: () => () => undefined, close: () => writer.close() }
}

async function openEmbedded(options: OpenIngestLogOptions): Promise<IngestLog> {
  const { settings, topic, wait, onProgress, onWarning } = options
  const { schema } = settings
  const database = await openRunDatabase(settings, onProgress)
  const lost = new AbortController()
  try {
    const { address, location } = database
    const topics = await wait.until(
      location,
      async () => {
        await prepareDatabase(address, schema)
        return openEmbeddedTopics({
          address,
          schema,
          topics: [topic.name],
          settings: settings.topics,
          lost: lost.signal,
          onWarning,
        })
      },
      (late) => late.close(),
    )
    const { writer, partitions } = await topics.openTopic(topic.name)
    const pool = openPool(address, {
      schema,
      applicationName: 'millrace ingest',
      maxConnections: 1,
      lost: lost.signal,
    })
    return {
      writer,
      partitions,
      records: 0,
      location,
      giveUpWhenSilent: () => giveUpWhenSilent(new DatabaseProbe(pool), lost, onWarning),
      close: async () => {
        await writer.close()
        await topics.close()
        await pool.end()
        await database.close()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}
