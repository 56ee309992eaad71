import { countText, durationText } from '../console/text.ts'
import { groupOf } from '../host/kafkaPlace.ts'
import { withKafkaAdmin } from '../host/kafkaTopics.ts'
import type { InputStatus, TaskStatus } from '../queries/status.ts'
import { MillraceError } from '../runtime/errors.ts'
import type { GroupDescription, TopicDescription } from '../sources/kafka/admin.ts'
import { describeFailure } from './exit.ts'
import { kafkaConnection } from './kafkaConnection.ts'
import type { SettingValues } from './settings.ts'

export interface KafkaTopicStatus extends TopicDescription {
  /** Who shares the partitions; null for a topic that no pipeline leads with, which has no group. */
  readonly group: GroupDescription | null
}

/** The topics to ask about, with the pipelines that lead with them. */
export interface AskedTopics {
  readonly leading: readonly Pick<TaskStatus, 'pipeline' | 'topic'>[]
  readonly others: readonly string[]
}

/** What the brokers say of the topics that are processed. */
export interface KafkaStatus {
  readonly brokers: readonly string[]
  readonly topics: readonly KafkaTopicStatus[]
  /** Why the brokers could not be asked, or null. */
  readonly problem: string | null
}

/**
 * What the brokers say of the topics that tasks read, and of the group of each pipeline. null without `KAFKA_BROKERS`. Brokers that do not answer are a problem in the answer, and no error: the rest of a status is worth having.
 */
export async function readKafkaStatus(
  settings: SettingValues,
  { leading, others }: AskedTopics,
): Promise<KafkaStatus | null> {
  const kafka = kafkaConnection(settings)
  if (kafka === null) return null
  const { brokers } = kafka
  try {
    const found = await withKafkaAdmin(kafka, async (admin) => {
      const described: KafkaTopicStatus[] = []
      const groups = groupsOf(settings.group, leading)
      for (const [group, name] of groups) {
        const topic = await admin.describeTopic(name)
        if (topic === null) continue
        described.push({ ...topic, group: await admin.describeGroup(group, name) })
      }
      const led = new Set(groups.values())
      for (const name of [...new Set(others)].filter((one) => !led.has(one)).sort()) {
        const topic = await admin.describeTopic(name)
        if (topic !== null) described.push({ ...topic, group: null })
      }
      return described
    })
    return { brokers, topics: found, problem: null }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { brokers, topics: [], problem: describeFailure(error) }
  }
}

/** The topic of each group, by topic. */
function groupsOf(
  group: string | undefined,
  tasks: readonly Pick<TaskStatus, 'pipeline' | 'topic'>[],
): ReadonlyMap<string, string> {
  const sorted = [...tasks].sort((a, b) => (a.topic < b.topic ? -1 : 1))
  return new Map(sorted.map(({ pipeline, topic }) => [groupOf(group, pipeline, topic), topic]))
}

/** The task with the ends of its logs, where a log is in Kafka. */
export function withLogEnd(task: TaskStatus, kafka: KafkaStatus | null): TaskStatus {
  const inputs = task.inputs.map((input) => ({ ...input, ...ends(input, kafka) }))
  return { ...task, ...ends(task, kafka), inputs }
}

type Progress = Pick<
  TaskStatus,
  'topic' | 'partition' | 'nextOffset' | 'logEnd' | 'lagRecords' | 'archiveNextOffset' | 'archiveLagRecords'
>

function ends(progress: Progress, kafka: KafkaStatus | null): Partial<InputStatus> {
  if (progress.logEnd !== null) return {}
  const topic = kafka?.topics.find((one) => one.topic === progress.topic)
  const log = topic?.partitions.find((one) => one.partition === progress.partition)
  if (log === undefined) return {}
  return {
    logEnd: log.next,
    lagRecords: log.next - (progress.nextOffset ?? log.earliest),
    archiveLagRecords: progress.archiveNextOffset === null ? null : log.next - progress.archiveNextOffset,
  }
}

export function kafkaText({ brokers, topics, problem }: KafkaStatus): readonly string[] {
  const lines = ['', `Kafka at ${brokers.join(', ')}${problem === null ? '' : ' does not answer'}`]
  for (const { topic, partitions, retentionMs, group } of topics) {
    const records = partitions.reduce((sum, { earliest, next }) => sum + next - earliest, 0)
    const kept = retentionMs === null ? 'kept for ever' : `kept ${durationText(retentionMs)}`
    lines.push(`  topic ${topic}: ${countText(records)} records in ${partitions.length} partitions, ${kept}`)
    if (group === null) continue
    lines.push(`  group ${group.group}: ${group.state}, ${group.members.length} members`)
    for (const { member, host, partitions: own } of group.members)
      lines.push(`    ${member} at ${host}: ${own.length === 0 ? 'no partition' : `partitions ${own.join(', ')}`}`)
  }
  return lines
}
