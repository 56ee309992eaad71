import { ConfigurationError } from '../../runtime/errors.ts'
import type { LogSource, LogWriter } from '../../runtime/log.ts'
import type { KafkaAdmin } from '../../sources/kafka/admin.ts'
import type { KafkaSettings, KafkaTopicGroup } from '../../sources/kafka/kafkaSettings.ts'
import type { SettingValues } from '../settings.ts'
import { kafkaLocation } from './kafkaConnection.ts'
import type { RunPlan } from './runPlan.ts'
import type { StartWait } from './startWait.ts'
import { checkRetention, checkTapeRetention } from './topicCheck.ts'

/** How long a partition that another process claimed may stay with it before the owner by the group's word claims it back. */
export function reclaimAfterMs({ sessionTimeoutMs }: KafkaSettings): number {
  return 2 * sessionTimeoutMs
}

// Kafka's clients are imported when they are needed: most starts are on the embedded log.

/** Waits for brokers that are away. */
export async function openKafkaSource(
  kafka: KafkaSettings,
  place: KafkaTopicGroup,
  wait: StartWait,
): Promise<LogSource> {
  const { openKafkaLog } = await import('../../sources/kafka/openKafkaLog.ts')
  return wait.until(
    kafkaLocation(kafka),
    () => openKafkaLog(kafka, place),
    (late) => late.close(),
  )
}

/** Waits for brokers that are away, or does not where `wait` is null. */
export async function openKafkaWriter(kafka: KafkaSettings, topic: string, wait: StartWait | null): Promise<LogWriter> {
  const { openKafkaWriter: open } = await import('../../sources/kafka/producer/openKafkaWriter.ts')
  if (wait === null) return open(kafka, { topic })
  return wait.until(
    kafkaLocation(kafka),
    () => open(kafka, { topic }),
    (late) => late.close(),
  )
}

export async function withKafkaAdmin<T>(kafka: KafkaSettings, use: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const { openKafkaAdmin } = await import('../../sources/kafka/admin.ts')
  const admin = await openKafkaAdmin(kafka)
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

type TopicSettings = Pick<SettingValues, 'partitions' | 'kafkaRetentionHours' | 'kafkaReplication'>

/** Makes the topic as the settings say; false when it was there already. */
export function createTopic(admin: KafkaAdmin, topic: string, settings: TopicSettings): Promise<boolean> {
  return createTopicFor(admin, topic, settings, settings.kafkaRetentionHours * 3_600_000)
}

function createTopicFor(
  admin: KafkaAdmin,
  topic: string,
  { partitions, kafkaReplication }: TopicSettings,
  retentionMs: number | null,
): Promise<boolean> {
  return admin.createTopic({ topic, partitions, retentionMs, replication: kafkaReplication ?? null })
}

export interface PrepareTopicOptions {
  readonly kafka: KafkaSettings
  readonly plan: Pick<RunPlan, 'topic' | 'source'>
  readonly settings: TopicSettings
  /** Asked for by a person; null takes what an existing topic has. */
  readonly partitions: number | null
  readonly isArchived: boolean
  readonly onWarning: (line: string) => void
}

export interface PreparedTopic {
  readonly partitions: number
  /** In it now. */
  readonly records: number
}

/**
 * Makes the topic when it is missing, and checks that it keeps records for as long as they are needed. Throws `ConfigurationError` where it does
 * not, or has another number of partitions than was asked for.
 */
export function prepareTopic(options: PrepareTopicOptions): Promise<PreparedTopic> {
  const { kafka, plan, settings, partitions: wanted, isArchived, onWarning } = options
  const { topic } = plan
  // Brokers count age from the time of the trade, and a tape may be years old.
  const isTape = plan.source === 'tape'
  return withKafkaAdmin(kafka, async (admin) => {
    let found = await admin.describeTopic(topic)
    if (found === null) {
      const retentionMs = isTape ? null : settings.kafkaRetentionHours * 3_600_000
      await createTopicFor(admin, topic, settings, retentionMs)
      const kept = isTape ? 'for ever' : `${settings.kafkaRetentionHours} h`
      onWarning(`Topic ${topic} was made: ${settings.partitions} partitions, kept ${kept}.`)
      found = await admin.describeTopic(topic)
    }
    if (found === null)
      throw new ConfigurationError(`topic ${topic} was made and is gone again; is somebody deleting it?`)
    if (isTape) checkTapeRetention(found)
    for (const warning of checkRetention(found, isArchived)) onWarning(warning)
    const partitions = found.partitions.length
    if (wanted !== null && wanted !== partitions) {
      throw new ConfigurationError(
        `topic ${topic} has ${partitions} partitions, not ${wanted} as MILLRACE_PARTITIONS says. The partition of a symbol depends on it: ` +
          `set ${partitions}, or take another topic.`,
        { topic },
      )
    }
    return { partitions, records: found.partitions.reduce((sum, { earliest, next }) => sum + next - earliest, 0) }
  })
}
