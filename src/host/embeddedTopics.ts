import type pg from 'pg'
import { EmbeddedLog } from '../embedded/log/embeddedLog.ts'
import type { LogSource } from '../runtime/log.ts'
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
  readonly settings: TopicSettings
  /** Fires when the database is given up. */
  readonly lost?: AbortSignal | undefined
  /** One line on what went wrong beside the pipeline and will be tried again. */
  readonly onWarning: (line: string) => void
}

const partitionCounts = 'SELECT topic, partitions FROM log_topic WHERE topic = ANY ($1)'

/** Opens topics of the embedded log, makes those that are missing, and keeps the retention of all at work while they are open. */
export async function openEmbeddedTopics(options: EmbeddedTopicsOptions): Promise<EmbeddedTopics> {
  const { address, schema, topics, settings, lost, onWarning } = options
  const pool = openPool(address, {
    schema,
    lost,
    applicationName: 'millrace log',
    maxConnections: (settings.partitions ?? defaultPartitions) * topics.length + 2,
  })
  try {
    const partitions = await partitionsOf(pool, topics, settings.partitions)
    const logs: EmbeddedLog[] = []
    for (const topic of topics) logs.push(await EmbeddedLog.open({ pool, topic, partitions }))
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

async function partitionsOf(pool: pg.Pool, topics: readonly string[], wanted: number | null): Promise<number> {
  return commonPartitions(await countsOf(pool, topics), wanted, defaultPartitions)
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
