import { systemClock } from '../runtime/clock.ts'
import type { LogWriter } from '../runtime/log/log.ts'
import { openPool } from '../sinks/postgres/connection.ts'
import { watchedForAge } from './agedRecords.ts'
import { DatabaseProbe } from './databaseProbe.ts'
import { openEmbeddedTopics } from './embeddedTopics.ts'
import { giveUpWhenSilent } from './giveUp.ts'
import type { HostSettings } from './hostSettings.ts'
import { kafkaLocation } from './kafkaPlace.ts'
import { kafkaOutgoingTopics, openKafkaWriter, prepareTopics } from './kafkaTopics.ts'
import { type OpenedTopic, openedTopic } from './openedTopic.ts'
import { plainKafka } from './plainConnections.ts'
import { prepareDatabase } from './prepareDatabase.ts'
import { openRunDatabase } from './runDatabase.ts'
import type { RunTopic } from './runTopic.ts'
import { Spans } from './spans.ts'
import type { StartWait } from './startWait.ts'
import { tracedTopics } from './tracedPorts.ts'

/** A topic that a feed without a pipeline beside it is brought into. */
export interface IngestLog {
  readonly writer: LogWriter
  readonly partitions: number
  /** The topics that are filled beside it, in the order in which they were named. */
  readonly beside: readonly OpenedTopic[]
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
  /** Topics that are filled beside it, made with as many partitions where they are missing. */
  readonly beside?: readonly string[]
  readonly wait: StartWait
  /** One line on the start of the embedded database. */
  readonly onProgress: (line: string) => void
  readonly onWarning: (line: string) => void
}

/** The log that an ingest appends to: the topic in Kafka, made when missing, or the embedded one, which is a database. Waits for one that is away. */
export async function openIngestLog(options: OpenIngestLogOptions): Promise<IngestLog> {
  const { settings, topic, beside = [], wait, onWarning } = options
  const { kafka } = settings
  if (kafka === null) return openEmbedded(options)
  const location = kafkaLocation(kafka)
  const plain = plainKafka(kafka)
  if (plain !== null) onWarning(`warning: ${plain}`)
  const { partitions, records, retentionMs } = await wait.until(location, () =>
    prepareTopics({
      kafka,
      topics: [{ ...topic, mayBeMade: true, isTold: false }],
      settings: settings.topics,
      isArchived: false,
      onWarning,
    }),
  )
  const warn = (text: string) => onWarning(`warning: ${text}`)
  const spans = await Spans.find()
  const { writer: traced } = await tracedTopics(
    spans,
    async (name) => openedTopic(await openKafkaWriter(kafka, name, wait), partitions),
    'kafka',
  )(topic.name)
  const writer = watchedForAge(traced, {
    topic: topic.name,
    retentionMs,
    now: () => systemClock.now(),
    onWarning: warn,
  })
  const openTopic = tracedTopics(spans, kafkaOutgoingTopics(kafka, settings.topics, partitions, warn), 'kafka')
  const others = new OtherTopics(openTopic, location, wait)
  await others.open(beside)
  return {
    ...{ writer, partitions, records, location, beside: others.opened },
    giveUpWhenSilent: () => () => undefined,
    close: async () => {
      await others.close()
      await writer.close()
    },
  }
}

/** Topics beside the one that an ingest is about. */
class OtherTopics {
  readonly opened: OpenedTopic[] = []
  readonly #openTopic: (topic: string) => Promise<OpenedTopic>
  readonly #location: string
  readonly #wait: StartWait

  constructor(openTopic: (topic: string) => Promise<OpenedTopic>, location: string, wait: StartWait) {
    this.#openTopic = openTopic
    this.#location = location
    this.#wait = wait
  }

  async open(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      const opened = await this.#wait.until(
        this.#location,
        () => this.#openTopic(topic),
        (late) => late.writer.close(),
      )
      this.opened.push(opened)
    }
  }

  async close(): Promise<void> {
    for (const { writer } of this.opened) await writer.close()
  }
}

async function openEmbedded(options: OpenIngestLogOptions): Promise<IngestLog> {
  const { settings, topic, beside = [], wait, onProgress, onWarning } = options
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
    const openTopic = tracedTopics(await Spans.find(), topics.openTopic, 'millrace')
    const { writer, partitions } = await openTopic(topic.name)
    const others = new OtherTopics(openTopic, location, wait)
    await others.open(beside)
    const pool = openPool(address, {
      schema,
      applicationName: 'millrace ingest',
      maxConnections: 1,
      lost: lost.signal,
    })
    return {
      writer,
      partitions,
      beside: others.opened,
      records: 0,
      location,
      giveUpWhenSilent: () => giveUpWhenSilent(new DatabaseProbe(pool), lost, onWarning),
      close: async () => {
        await others.close()
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
