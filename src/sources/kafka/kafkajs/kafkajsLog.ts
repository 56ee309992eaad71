import { type Clock, systemClock } from '../../../runtime/clock.ts'
import { ConfigurationError, OffsetOutOfRangeError } from '../../../runtime/errors.ts'
import type {
  AssignmentListener,
  LeaderEpochEnd,
  LogBounds,
  LogMembership,
  LogReader,
  LogSource,
} from '../../../runtime/log/log.ts'
import { canonicalTopicId } from '../canonicalTopicId.ts'
import type { KafkaSettings, KafkaTopicGroup } from '../kafkaSettings.ts'
import { GroupMember, type SharedTopic } from '../wire/groupMember.ts'
import { KafkajsClient, leaderOf } from './client.ts'
import { KafkajsCoordinator } from './coordinator.ts'
import { readEndOfEpoch } from './endOfEpoch.ts'
import type { KafkajsBroker } from './internals.ts'
import { READ_COMMITTED } from './openCluster.ts'
import { KafkajsReader } from './reader.ts'
import { readTopicId } from './topicId.ts'
import { protocolErrorOf } from './trouble.ts'

const EARLIEST = '-2'
const LATEST = '-1'
/** What a broker answers where no record is of the time or after it. */
const NO_SUCH_OFFSET = -1

/**
 * Opens a topic of Kafka through kafkajs: the client for brokers that the wire client cannot talk to.
 *
 * Throws `ConfigurationError` for wrong credentials or certificates and for a topic that does not exist, `RetryableError` while no broker
 * answers.
 */
export async function openKafkajsLog(
  settings: KafkaSettings,
  { topic, group }: KafkaTopicGroup,
  clock: Clock = systemClock,
): Promise<LogSource> {
  const client = new KafkajsClient(settings, topic)
  try {
    const log = new KafkajsLog(settings, topic, group, client, clock)
    await log.partitions()
    await log.requireSameTopic()
    return log
  } catch (error) {
    client.close()
    throw error
  }
}

/**
 * A topic of Kafka, read committed: records of transactions that are open or aborted are not seen, and `bounds` ends at the last
 * stable offset, so a transaction that is left open holds readers up until the broker aborts it.
 *
 * Each reader has connections of its own and holds two fetches at most. Readers name the topic by its name, so a topic that was deleted
 * and made anew is noticed when the log ends below the reader's offset, and otherwise within `metadataMaxAgeMs`.
 */
class KafkajsLog implements LogSource {
  readonly topic: string
  readonly #settings: KafkaSettings
  readonly #group: string
  readonly #client: KafkajsClient
  readonly #clock: Clock
  readonly #readers = new Set<LogReader>()
  readonly #members = new Set<LogMembership>()
  #partitionCount = 0
  #topicId: string | null = null
  #checkedAt = Number.NEGATIVE_INFINITY

  constructor(settings: KafkaSettings, topic: string, group: string, client: KafkajsClient, clock: Clock) {
    this.topic = topic
    this.#settings = settings
    this.#group = group
    this.#client = client
    this.#clock = clock
  }

  async partitions(): Promise<readonly number[]> {
    const partitions = await this.#client.partitions()
    this.#partitionCount = partitions.length
    return partitions
  }

  async join(listener: AssignmentListener): Promise<LogMembership> {
    const coordinator = new KafkajsCoordinator(this.#settings, this.topic, this.#group)
    const member = new GroupMember(this.#sharedTopic(), coordinator, this.#group, listener)
    this.#members.add(member)
    await member.join()
    return member
  }

  reader(partition: number): LogReader {
    if (!(Number.isInteger(partition) && partition >= 0)) {
      throw new ConfigurationError(`Topic ${this.topic} has no partition ${partition}.`, { topic: this.topic })
    }
    const reader = new KafkajsReader({
      topic: this.topic,
      partition,
      client: new KafkajsClient(this.#settings, this.topic, { wasAccepted: true }),
      bounds: () => this.#bounds(partition),
      offsetAt: (time) => this.#offsetAt(partition, time),
      endOfEpoch: (leaderEpoch) => this.#endOfEpoch(partition, leaderEpoch),
      requireSameTopic: () => this.requireSameTopic(),
      clock: this.#clock,
      maxBatchBytes: this.#settings.maxBatchBytes,
      onClose: () => this.#readers.delete(reader),
    })
    this.#readers.add(reader)
    return reader
  }

  /** Asks at most once in `metadataMaxAgeMs`. Throws when the topic is gone, or another one has its name. */
  async requireSameTopic(): Promise<void> {
    const now = this.#clock.now()
    if (now - this.#checkedAt < this.#settings.metadataMaxAgeMs) return
    this.#checkedAt = now
    const { topic } = this
    const found = await this.#client
      .use(`read the id of topic ${topic}`, { topic }, async (cluster) => {
        const [first] = cluster.findTopicPartitionMetadata(topic)
        return readTopicId(await leaderOf(cluster, topic, first?.partitionId ?? 0), topic)
      })
      .catch((error: unknown) => {
        if (this.#topicId !== null && protocolErrorOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return 'deleted'
        this.#checkedAt = Number.NEGATIVE_INFINITY
        throw error
      })
    if (found === null) return
    this.#topicId ??= found
    if (found === this.#topicId) return
    this.#checkedAt = Number.NEGATIVE_INFINITY
    throw new OffsetOutOfRangeError(
      found === 'deleted'
        ? `Topic ${topic} was deleted while it was read. Bring it back under a new name, or start under a new pipeline name if what it held is done with.`
        : `Topic ${topic} was deleted and made anew while it was read: its offsets mean other records now. Start under a new pipeline name to read the new topic from its beginning.`,
      { topic },
    )
  }

  /** Leaves the group and closes readers and connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.leave()))
    await Promise.all([...this.#readers].map((reader) => reader.close()))
    this.#client.close()
  }

  #sharedTopic(): SharedTopic {
    const log = this
    const refresh = async () => {
      log.#partitionCount = (await log.#client.partitions({ isFresh: true })).length
    }
    return {
      topic: this.topic,
      settings: this.#settings,
      clock: this.#clock,
      get partitionCount() {
        return log.#partitionCount
      },
      refresh,
      // Asked for an age that is the client's own.
      refreshIfOlderThan: async () => void (await log.partitions()),
      trouble: (error, doing) => log.#client.trouble(error, doing),
    }
  }

  async #bounds(partition: number): Promise<LogBounds> {
    const { topic } = this
    await this.requireSameTopic()
    const logId = this.#topicId === null ? {} : { logId: canonicalTopicId(this.#topicId) }
    const place = { topic, partition }
    return this.#client.use(`read the bounds of ${topic}/${partition}`, place, async (cluster) => {
      const leader = await leaderOf(cluster, topic, partition)
      const earliest = await listedOffset(leader, topic, partition, EARLIEST)
      return { earliest, next: await listedOffset(leader, topic, partition, LATEST), ...logId }
    })
  }

  async #offsetAt(partition: number, time: number): Promise<number> {
    const { topic } = this
    await this.requireSameTopic()
    return this.#client.use(`look for a time in ${topic}/${partition}`, { topic, partition }, async (cluster) => {
      const leader = await leaderOf(cluster, topic, partition)
      const found = await listedOffset(leader, topic, partition, String(time))
      return found === NO_SUCH_OFFSET ? listedOffset(leader, topic, partition, LATEST) : found
    })
  }

  #endOfEpoch(partition: number, leaderEpoch: number): Promise<LeaderEpochEnd | null> {
    const place = { topic: this.topic, partition }
    const doing = `look for the end of leader epoch ${leaderEpoch} in ${this.topic}/${partition}`
    return this.#client.use(doing, place, async (cluster) =>
      readEndOfEpoch(await leaderOf(cluster, this.topic, partition), place, leaderEpoch),
    )
  }
}

async function listedOffset(
  leader: KafkajsBroker,
  topic: string,
  partition: number,
  timestamp: string,
): Promise<number> {
  const partitions = [{ partition, timestamp }]
  const { responses } = await leader.listOffsets({ isolationLevel: READ_COMMITTED, topics: [{ topic, partitions }] })
  return Number(responses[0]!.partitions[0]!.offset)
}
