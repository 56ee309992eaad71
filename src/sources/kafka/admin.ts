import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin } from 'kafkajs'
import { requireKnownHosts } from './advertisedHosts.ts'
import { adminTrouble, firstOf } from './kafkajs/adminTrouble.ts'
import { AssignerProtocol, createAdmin, silentLogger } from './kafkajs/internals.ts'
import { openCluster } from './kafkajs/openCluster.ts'
import { protocolErrorOf } from './kafkajs/trouble.ts'
import type { KafkaSettings } from './kafkaSettings.ts'
import { decisiveTrouble } from './listenerProbe.ts'

const { ConfigResourceTypes } = kafkajs

/** One partition of a topic, as the cluster knows it. */
export interface TopicPartition {
  readonly partition: number
  /** Offset of the oldest record that is still there. */
  readonly earliest: number
  /** Offset of the record that comes next. */
  readonly next: number
  /** Node id, or -1 while there is none. */
  readonly leader: number
  /** How many brokers keep a copy. */
  readonly replicas: number
  /** How many of the copies are up to date. */
  readonly inSyncReplicas: number
}

/** What a topic is made of, and what it keeps. */
export interface TopicDescription {
  readonly topic: string
  /** By number. */
  readonly partitions: readonly TopicPartition[]
  /** null: for ever. */
  readonly retentionMs: number | null
  /** Bytes of one partition; null: of any size. */
  readonly retentionBytes: number | null
  /** True where the topic keeps the newest record of each key, besides or instead of what the retention keeps. */
  readonly isCompacted: boolean
}

/** A worker that takes part in sharing the partitions of a topic. */
export interface GroupMember {
  /** The worker id where it has one, else what the broker calls it. */
  readonly member: string
  /** The address that it reaches the broker from. */
  readonly host: string
  /** The partitions that it has now, in order; none between joining and the leader's word. */
  readonly partitions: readonly number[]
}

/** Who takes part in a group, and what it is doing. */
export interface GroupDescription {
  /** Its `group.id`. */
  readonly group: string
  /** In the broker's words: `Stable`, `PreparingRebalance`, `Empty`, `Dead` and so on. */
  readonly state: string
  /** None where the group is unknown or empty. */
  readonly members: readonly GroupMember[]
}

/** A topic to be made: records go by age only, and keep the time of their trade. */
export interface NewTopic {
  readonly topic: string
  /** How many partitions; records of one key stay in order only as long as the number stays. */
  readonly partitions: number
  /** By the time of the records' trades; null: for ever. */
  readonly retentionMs: number | null
  /** How many brokers keep a copy; null: the broker's default. */
  readonly replication: number | null
}

/** Makes and describes topics and groups, for commands; reading and writing records is for others. */
export interface KafkaAdmin {
  /** Makes the topic; false when it was there already, which is left as it is. */
  createTopic(topic: NewTopic): Promise<boolean>
  /** The names of all topics. */
  topics(): Promise<readonly string[]>
  /** null for a topic that does not exist. */
  describeTopic(topic: string): Promise<TopicDescription | null>
  /** Who has which partitions of the topic. A group that does not exist is `Dead` and has no members. */
  describeGroup(group: string, topic: string): Promise<GroupDescription>
  /** Ends the connections. */
  close(): Promise<void>
}

/** Connects to the cluster. Throws `ConfigurationError` for what a person has to correct, `RetryableError` for what may pass. */
export async function openKafkaAdmin(settings: KafkaSettings): Promise<KafkaAdmin> {
  const { brokers, clientId } = settings
  const { cluster } = openCluster(settings, `${clientId}-admin`, RETRIES)
  const retry = { retries: RETRIES, initialRetryTime: 100, maxRetryTime: 500 }
  const admin = createAdmin({ logger: silentLogger, retry, cluster })
  let wasAccepted = false
  const use = async <T>(doing: string, action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (error) {
      const trouble = adminTrouble(error, `${doing} at ${brokers.join(', ')}`, wasAccepted)
      throw wasAccepted ? trouble : await decisiveTrouble(trouble, settings)
    }
  }
  try {
    await use('connect to the brokers', async () => {
      await admin.connect()
      await cluster.refreshMetadata()
      await requireKnownHosts(settings, cluster.brokerPool.metadata?.brokers ?? [])
    })
  } catch (error) {
    await admin.disconnect().catch(() => undefined)
    throw error
  }
  wasAccepted = true
  return {
    createTopic: (topic) =>
      use(`make topic ${topic.topic}`, async () => {
        const isNew = await createTopic(admin, topic)
        await untilKnown(admin, topic.topic, settings.requestTimeoutMs)
        return isNew
      }),
    topics: () => use('list topics', () => admin.listTopics()),
    describeTopic: (topic) => use(`describe topic ${topic}`, () => describeTopic(admin, topic)),
    describeGroup: (group, topic) => use(`describe group ${group}`, () => describeGroup(admin, group, topic)),
    close: () => admin.disconnect(),
  }
}

/** After the first attempt; whoever asked decides about more. */
const RETRIES = 2
const anyTime = '9223372036854775807'

async function createTopic(admin: Admin, topic: NewTopic): Promise<boolean> {
  try {
    return await createWith(admin, topic, [...settingsOf(topic), ...AT_ANY_TIME])
  } catch (error) {
    // Brokers before 3.6 do not know these, and take records of any time.
    if (protocolErrorOf(firstOf(error)) !== 'INVALID_CONFIG') throw error
    return createWith(admin, topic, settingsOf(topic))
  }
}

interface TopicSetting {
  readonly name: string
  readonly value: string
}

/** Records are stamped with the time of their trade. A time that is wrong is for the pipeline to set aside, not for the broker to refuse. */
const AT_ANY_TIME: readonly TopicSetting[] = [
  { name: 'message.timestamp.before.max.ms', value: anyTime },
  { name: 'message.timestamp.after.max.ms', value: anyTime },
]

function settingsOf({ retentionMs }: NewTopic): readonly TopicSetting[] {
  return [
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'retention.ms', value: String(retentionMs ?? -1) },
    { name: 'retention.bytes', value: '-1' },
    // A frame of the ingest, which may be up to 8 MiB, with what the protocol adds to it.
    { name: 'max.message.bytes', value: '9437184' },
    { name: 'message.timestamp.type', value: 'CreateTime' },
  ]
}

function createWith(
  admin: Admin,
  { topic, partitions, replication }: NewTopic,
  settings: readonly TopicSetting[],
): Promise<boolean> {
  return admin.createTopics({
    topics: [{ topic, numPartitions: partitions, replicationFactor: replication ?? -1, configEntries: [...settings] }],
    waitForLeaders: false,
  })
}

/** The broker that is asked may hear of a new topic, and of its leaders, a moment after the one that has made it. */
async function untilKnown(admin: Admin, topic: string, timeoutMs: number): Promise<void> {
  const until = performance.now() + timeoutMs
  for (;;) {
    try {
      await admin.fetchTopicMetadata({ topics: [topic] })
      return
    } catch (error) {
      const isComing = NOT_YET.has(protocolErrorOf(error) ?? '')
      if (!isComing || performance.now() > until) throw error
    }
    await sleep(50)
  }
}

const NOT_YET: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'])

async function describeTopic(admin: Admin, topic: string): Promise<TopicDescription | null> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const offsets = new Map((await admin.fetchTopicOffsets(topic)).map((found) => [found.partition, found]))
    const configs = await configsOf(admin, topic)
    return {
      topic,
      partitions: (topics[0]?.partitions ?? [])
        .map(({ partitionId, leader, replicas, isr }) => ({
          partition: partitionId,
          earliest: Number(offsets.get(partitionId)?.low ?? 0),
          next: Number(offsets.get(partitionId)?.high ?? 0),
          leader,
          replicas: replicas.length,
          inSyncReplicas: isr.length,
        }))
        .sort((a, b) => a.partition - b.partition),
      retentionMs: limitOf(configs.get('retention.ms')),
      retentionBytes: limitOf(configs.get('retention.bytes')),
      isCompacted: configs.get('cleanup.policy')?.includes('compact') ?? false,
    }
  } catch (error) {
    if (protocolErrorOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null
    throw error
  }
}

async function configsOf(admin: Admin, topic: string): Promise<ReadonlyMap<string, string>> {
  const configNames = ['retention.ms', 'retention.bytes', 'cleanup.policy']
  const { resources } = await admin.describeConfigs({
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames }],
    includeSynonyms: false,
  })
  return new Map((resources[0]?.configEntries ?? []).map((entry) => [entry.configName, entry.configValue]))
}

function limitOf(text: string | undefined): number | null {
  const limit = Number(text ?? -1)
  return limit < 0 ? null : limit
}

async function describeGroup(admin: Admin, group: string, topic: string): Promise<GroupDescription> {
  const { groups } = await admin.describeGroups([group])
  const members = groups[0]?.members ?? []
  return {
    group,
    state: groups[0]?.state ?? 'Dead',
    members: members.map((member) => ({
      // A static member is called by its id and a UUID.
      member: member.memberId.replace(/-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, ''),
      host: member.clientHost.replace(/^\//, ''),
      partitions: partitionsOf(member.memberAssignment, topic),
    })),
  }
}

function partitionsOf(assignment: Buffer, topic: string): readonly number[] {
  // Empty between joining and the leader's word.
  if (assignment.length === 0) return []
  return (AssignerProtocol.MemberAssignment.decode(assignment)?.assignment[topic] ?? []).toSorted((a, b) => a - b)
}
