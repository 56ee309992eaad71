import { systemClock } from '../runtime/clock.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { LogSource, LogWriter } from '../runtime/log/log.ts'
import { suggest } from '../runtime/suggest.ts'
import type { KafkaAdmin, TopicDescription } from '../sources/kafka/admin.ts'
import type { KafkaSettings, KafkaTopicGroup } from '../sources/kafka/kafkaSettings.ts'
import { watchedForAge } from './agedRecords.ts'
import { defaultPartitions, type TopicSettings } from './hostSettings.ts'
import { kafkaLocation } from './kafkaPlace.ts'
import { type OpenedTopic, openedTopic } from './openedTopic.ts'
import { commonPartitions, namesApart, type RunTopic } from './runTopic.ts'
import type { StartWait } from './startWait.ts'
import { checkPastRetention, checkRetention } from './topicCheck.ts'

// Kafka's clients are imported when they are needed: most starts are on the embedded log.

/** Waits for brokers that are away. */
export async function openKafkaSource(
  kafka: KafkaSettings,
  place: KafkaTopicGroup,
  wait: StartWait,
): Promise<LogSource> {
  const { openKafkaLog } = await import('../sources/kafka/openKafkaLog.ts')
  return wait.until(
    kafkaLocation(kafka),
    () => openKafkaLog(kafka, place),
    (late) => late.close(),
  )
}

/** Waits for brokers that are away, or does not where `wait` is null. */
export async function openKafkaWriter(kafka: KafkaSettings, topic: string, wait: StartWait | null): Promise<LogWriter> {
  const { openKafkaWriter: open } = await import('../sources/kafka/producer/openKafkaWriter.ts')
  if (wait === null) return open(kafka, { topic })
  return wait.until(
    kafkaLocation(kafka),
    () => open(kafka, { topic }),
    (late) => late.close(),
  )
}

/** Connects as an administrator for as long as `use` takes. */
export async function withKafkaAdmin<T>(kafka: KafkaSettings, use: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const { openKafkaAdmin } = await import('../sources/kafka/admin.ts')
  const admin = await openKafkaAdmin(kafka)
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

/** Which topics a run needs in Kafka, and how those are made that are missing. */
export interface PrepareTopicsOptions {
  readonly kafka: KafkaSettings
  readonly topics: readonly RunTopic[]
  readonly settings: TopicSettings
  readonly isArchived: boolean
  /** One line on a topic that was made, or that keeps records for less than is comfortable. */
  readonly onWarning: (line: string) => void
}

/** What the topics of a run have in common. */
export interface PreparedTopics {
  readonly partitions: number
  /** In the leading one now. */
  readonly records: number
  /** Of the leading one, as the broker keeps it; null for ever. */
  readonly retentionMs: number | null
}

/**
 * Makes the topics that are missing and may be made, with as many partitions as the others, and checks that they keep records for as long as they are
 * needed. Throws `ConfigurationError` where one is missing that may not be made, where one does not keep its records, or where the numbers of partitions do not fit.
 */
export function prepareTopics(options: PrepareTopicsOptions): Promise<PreparedTopics> {
  const { kafka, topics, settings, isArchived, onWarning } = options
  return withKafkaAdmin(kafka, async (admin) => {
    const found = new Map<string, TopicDescription>()
    for (const { name } of topics) {
      const topic = await admin.describeTopic(name)
      if (topic !== null) found.set(name, topic)
    }
    const apart = namesApart(topics)
    const alike = [...found].filter(([name]) => !apart.includes(name))
    const counts = new Map(alike.map(([name, topic]) => [name, topic.partitions.length]))
    const partitions = commonPartitions(counts, settings.partitions, defaultPartitions)
    const told = topics.find(({ name, mayBeMade }) => !mayBeMade && !found.has(name))
    if (told !== undefined) throw noSuchTopic(kafka, told.name, partitions, await admin.topics())
    for (const topic of topics) {
      if (!found.has(topic.name)) found.set(topic.name, await makeTopic(admin, topic, partitions, settings, onWarning))
    }
    for (const topic of topics) for (const warning of checked(topic, found, isArchived)) onWarning(warning)
    const lead = found.get(topics[0]?.name ?? '')
    const records = lead?.partitions.reduce((sum, { earliest, next }) => sum + next - earliest, 0) ?? 0
    return { partitions, records, retentionMs: lead?.retentionMs ?? null }
  })
}

function noSuchTopic(
  kafka: KafkaSettings,
  topic: string,
  partitions: number,
  all: readonly string[],
): ConfigurationError {
  const names = all.filter((name) => !name.startsWith('__') && !name.endsWith('.positions'))
  return new ConfigurationError(
    `${kafkaLocation(kafka)} has no topic ${topic}${suggest(topic, names)}, and who only reads does not make one. ` +
      `Name one that is there, make it with as many partitions as it is to keep (MILLRACE_PARTITIONS=${partitions} millrace topics create ${topic}), or bring records into it (millrace ingest).`,
    { topic },
  )
}

function checked(
  topic: RunTopic,
  found: ReadonlyMap<string, TopicDescription>,
  isArchived: boolean,
): readonly string[] {
  const description = found.get(topic.name)
  if (description === undefined) return []
  if (topic.isOfThePast) checkPastRetention(description)
  // Of a table nothing is lost that a newer record of its key has replaced.
  return topic.isTable && description.isCompacted ? [] : checkRetention(description, isArchived)
}

async function makeTopic(
  admin: KafkaAdmin,
  { name, isOfThePast }: Pick<RunTopic, 'name' | 'isOfThePast'>,
  partitions: number,
  { kafkaRetentionHours, kafkaReplication }: TopicSettings,
  onWarning: (line: string) => void,
): Promise<TopicDescription> {
  // Brokers count age from the time of the record.
  const hours = isOfThePast ? null : kafkaRetentionHours
  const retentionMs = hours === null ? null : hours * 3_600_000
  await admin.createTopic({ topic: name, partitions, retentionMs, replication: kafkaReplication })
  onWarning(`Topic ${name} was made: ${partitions} partitions, kept ${hours === null ? 'for ever' : `${hours} h`}.`)
  const made = await admin.describeTopic(name)
  if (made === null)
    throw new ConfigurationError(`topic ${name} was made and is gone again; is somebody deleting it?`, { topic: name })
  return made
}

/** Opens topics for appends; one that is missing is made with so many partitions. Warns of records that are older than their topic keeps them. */
export function kafkaOutgoingTopics(
  kafka: KafkaSettings,
  settings: TopicSettings,
  partitions: number,
  onWarning: (text: string) => void,
): (topic: string) => Promise<OpenedTopic> {
  return async (topic) => {
    const found = await withKafkaAdmin(kafka, async (admin) => {
      const made = { name: topic, isOfThePast: false }
      return (await admin.describeTopic(topic)) ?? (await makeTopic(admin, made, partitions, settings, () => undefined))
    })
    const { retentionMs } = found
    const now = () => systemClock.now()
    const writer = watchedForAge(await openKafkaWriter(kafka, topic, null), { topic, retentionMs, now, onWarning })
    return openedTopic(writer, found.partitions.length)
  }
}
