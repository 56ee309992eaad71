import type pg from 'pg'
import { EmbeddedLog } from '../embedded/log/embeddedLog.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { LogSource } from '../runtime/log/log.ts'
import { suggest } from '../runtime/suggest.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { asMillraceError } from '../sinks/postgres/errors.ts'
import { recordAt } from '../sources/recordAt.ts'
import { defaultPartitions, type TopicSettings } from './hostSettings.ts'
import { keepRetention } from './logRetention.ts'
import { type OpenedTopic, openedTopic } from './openedTopic.ts'
import type { RedriveTopic } from './redriveTopic.ts'
import { commonPartitions } from './runTopic.ts'

/** The topics of a run in the embedded log. */
export interface EmbeddedTopics {
  /** In the order of the names. */
  readonly sources: readonly LogSource[]
  readonly partitions: number
  /** Of these topics, or of one more. */
  readonly openTopic: (topic: string) => Promise<OpenedTopic>
  close(): Promise<void>
}

/** Which topics to open, and in which schema of which database they are. */
export interface EmbeddedTopicsOptions {
  readonly address: PostgresAddress
  readonly schema: string
  /** At least one. */
  readonly topics: readonly string[]
  /** Those that are not made where they are missing. None if left out. */
  readonly mustBeThere?: readonly string[]
  /** Those that may have another number of partitions than the others. None if left out. */
  readonly apart?: readonly string[]
  readonly settings: TopicSettings
  /** Fires when the database is given up. */
  readonly lost?: AbortSignal | undefined
  /** One line on what went wrong beside the pipeline and will be tried again. */
  readonly onWarning: (line: string) => void
}

const allTopics = 'SELECT topic FROM log_topic ORDER BY topic'
const partitionCounts = 'SELECT topic, partitions FROM log_topic WHERE topic = ANY ($1)'

/**
 * Opens topics of the embedded log, makes those that are missing and may be made, and keeps the retention of all at work while they are open.
 * @throws ConfigurationError where one is missing that is not to be made, before any is made
 */
export async function openEmbeddedTopics(options: EmbeddedTopicsOptions): Promise<EmbeddedTopics> {
  const { address, schema, topics, mustBeThere = [], apart = [], settings, lost, onWarning } = options
  const pool = openPool(address, {
    schema,
    lost,
    applicationName: 'millrace log',
    maxConnections: (settings.partitions ?? defaultPartitions) * topics.length + 2,
  })
  try {
    const counts = await countsOf(pool, topics)
    const missing = mustBeThere.find((topic) => !counts.has(topic))
    if (missing !== undefined) throw await noSuchTopic(pool, schema, missing)
    for (const topic of topics) {
      const near = counts.has(topic) ? '' : suggest(topic, await topicNames(pool))
      if (near !== '') onWarning(`Topic ${topic} is new${near}.`)
    }
    const alike = new Map([...counts].filter(([topic]) => !apart.includes(topic)))
    const partitions = commonPartitions(alike, settings.partitions, defaultPartitions)
    const logs: EmbeddedLog[] = []
    for (const topic of topics) {
      const isThere = apart.includes(topic) && counts.has(topic)
      logs.push(await EmbeddedLog.open({ pool, topic, ...(isThere ? {} : { partitions }) }))
    }
    const retention = keepRetention(pool, settings.logRetentionHours * 3_600_000, onWarning)
    return {
      sources: logs,
      partitions,
      openTopic: async (topic) => {
        const log = logs.find((one) => one.topic === topic) ?? (await openOrMake(pool, topic, partitions))
        return openedTopic(log.writer(), (await log.partitions()).length)
      },
      close: async () => {
        await retention.stop()
        await Promise.all(logs.map((log) => log.close()))
        await pool.end()
      },
    }
  } catch (error) {
    await pool.end()
    throw error
  }
}

const mostNamed = 5

async function topicNames(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ topic: string }>(allTopics).catch((error: unknown) => {
    throw asMillraceError(error, 'look for the topics of the embedded log')
  })
  return rows.map(({ topic }) => topic)
}

async function noSuchTopic(pool: pg.Pool, schema: string, topic: string): Promise<ConfigurationError> {
  const names = await topicNames(pool)
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ''
  const there = names.length === 0 ? 'it has none' : `it has ${names.slice(0, mostNamed).join(', ')}${more}`
  return new ConfigurationError(
    `the embedded log (schema ${schema}) has no topic ${topic}${suggest(topic, names)}, and who only reads does not make one; ${there}. ` +
      `Name one that is there, or bring records into ${topic} first (millrace ingest).`,
    { topic },
  )
}

async function countsOf(pool: pg.Pool, topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool
    .query<{ topic: string; partitions: number }>(partitionCounts, [topics])
    .catch((error: unknown) => {
      throw asMillraceError(error, `look for topics ${topics.join(', ')} of the embedded log`)
    })
  return new Map(rows.map((row) => [row.topic, row.partitions]))
}

/** One that is there keeps its own number of partitions. */
async function openOrMake(pool: pg.Pool, topic: string, partitions: number): Promise<EmbeddedLog> {
  const isThere = (await countsOf(pool, [topic])).size > 0
  return EmbeddedLog.open({ pool, topic, ...(isThere ? {} : { partitions }) })
}

/** An existing topic for what is appended to it again, whose connections close with it. */
export async function openEmbeddedRedrive(
  address: PostgresAddress,
  schema: string,
  topic: string,
): Promise<RedriveTopic> {
  const pool = openPool(address, { schema, applicationName: 'millrace redrive', maxConnections: 2 })
  try {
    const log = await EmbeddedLog.open({ pool, topic })
    const writer = log.writer()
    return {
      writer,
      read: (partition, offset) => recordAt(log, partition, offset),
      close: async () => {
        await writer.close()
        await log.close()
        await pool.end()
      },
    }
  } catch (error) {
    await pool.end()
    throw error
  }
}
