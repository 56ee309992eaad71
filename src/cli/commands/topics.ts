import { countText, durationText } from '../../console/text.ts'
import { withKafkaAdmin } from '../../host/kafkaTopics.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { TopicDescription } from '../../sources/kafka/admin.ts'
import type { KafkaSettings } from '../../sources/kafka/kafkaSettings.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { kafkaConnection } from '../kafkaConnection.ts'
import { textTable } from '../textTable.ts'

const defaultTopics = ['crypto.trades.raw'] as const
const ownTopics = 'crypto.trades.'

/** Makes the topics that are not there yet, and says which. */
export async function createTopics({ settings, args, output }: CommandContext): Promise<number> {
  const { partitions, kafkaReplication } = settings
  const { kafkaRetentionHours: hours } = settings
  const retentionMs = hours === null ? null : hours * 3_600_000
  await withKafkaAdmin(required(kafkaConnection(settings)), async (admin) => {
    for (const topic of args.length === 0 ? defaultTopics : args) {
      const isNew = await admin.createTopic({ topic, partitions, retentionMs, replication: kafkaReplication ?? null })
      const how = isNew ? `made with ${partitions} partitions` : 'is there already'
      await output.out(`topic ${topic}: ${how}\n`)
    }
  })
  return exitOk
}

/** Prints topics. Exit code 1 when one that was named does not exist. */
export async function describeTopics({ settings, args, output }: CommandContext): Promise<number> {
  const missing: string[] = []
  const found: TopicDescription[] = []
  await withKafkaAdmin(required(kafkaConnection(settings)), async (admin) => {
    const names = args.length > 0 ? args : (await admin.topics()).filter(isOwn).sort()
    for (const name of names) {
      const topic = await admin.describeTopic(name)
      if (topic === null) missing.push(name)
      else found.push(topic)
    }
  })
  await output.out(
    settings.json ? `${JSON.stringify(found, null, 2)}\n` : shownText(`${topicsText(found).join('\n')}\n`),
  )
  for (const name of missing) output.err(`There is no topic ${name}: \`millrace topics create ${name}\` makes it.`)
  return missing.length === 0 ? exitOk : exitFailure
}

// Beside each topic of trades is one of its producers' positions.
function isOwn(topic: string): boolean {
  return topic.startsWith(ownTopics) && !topic.endsWith('.positions')
}

function required(kafka: KafkaSettings | null): KafkaSettings {
  if (kafka !== null) return kafka
  throw new ConfigurationError('KAFKA_BROKERS is not set; name the brokers, such as KAFKA_BROKERS=127.0.0.1:9092.')
}

function topicsText(topics: readonly TopicDescription[]): readonly string[] {
  if (topics.length === 0) return [`No topic begins with ${ownTopics}; \`npx millrace topics create\` makes one.`]
  return topics.flatMap((topic, index) => [
    ...(index === 0 ? [] : ['']),
    `${topic.topic}: ${topic.partitions.length} partitions, ${keptText(topic)}`,
    ...textTable(
      ['part', 'earliest', 'next', 'records', 'leader', 'replicas', 'in sync'],
      topic.partitions.map((one) => [
        String(one.partition),
        String(one.earliest),
        String(one.next),
        countText(one.next - one.earliest),
        one.leader < 0 ? 'none' : String(one.leader),
        String(one.replicas),
        String(one.inSyncReplicas),
      ]),
      '  ',
    ),
  ])
}

function keptText({ retentionMs, retentionBytes, isCompacted }: TopicDescription): string {
  const time = retentionMs === null ? 'kept for ever' : `kept ${durationText(retentionMs)}`
  const bytes = retentionBytes === null ? '' : `, ${countText(retentionBytes)} bytes a partition at most`
  return `${time}${bytes}${isCompacted ? ', COMPACTED' : ''}`
}
