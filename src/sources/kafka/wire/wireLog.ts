import { type Clock, systemClock } from '../../../runtime/clock.ts'
import { ConfigurationError } from '../../../runtime/errors.ts'
import type { AssignmentListener, LogMembership, LogReader, LogSource } from '../../../runtime/log/log.ts'
import type { KafkaSettings, KafkaTopicGroup } from '../kafkaSettings.ts'
import { Cluster } from './cluster.ts'
import { Coordinator } from './coordinator.ts'
import { GroupMember } from './groupMember.ts'
import { WireReader } from './wireReader.ts'

/**
 * Opens a topic of Apache Kafka (3.2 or later) at wire speed: fetched record batches are checked and walked where they lie, without an object a record.
 *
 * The topic is known by its id: one that is deleted and made anew meanwhile is an `OffsetOutOfRangeError`, not other records. Throws `ConfigurationError`
 * for a topic that does not exist, for wrong credentials or certificates and for brokers that are too old, `RetryableError` when no broker answers.
 */
export async function openWireLog(
  settings: KafkaSettings,
  { topic, group }: KafkaTopicGroup,
  clock: Clock = systemClock,
): Promise<LogSource> {
  const cluster = new Cluster(settings, topic, clock)
  try {
    await cluster.refresh()
  } catch (error) {
    cluster.close()
    throw error
  }
  return new WireLog(cluster, group)
}

class WireLog implements LogSource {
  readonly topic: string
  readonly #cluster: Cluster
  readonly #group: string
  readonly #readers = new Set<LogReader>()
  readonly #members = new Set<LogMembership>()

  constructor(cluster: Cluster, group: string) {
    this.topic = cluster.topic
    this.#cluster = cluster
    this.#group = group
  }

  async partitions(): Promise<readonly number[]> {
    await this.#cluster.refreshIfOlderThan(this.#cluster.settings.metadataMaxAgeMs)
    return [...Array(this.#cluster.partitionCount).keys()]
  }

  async join(listener: AssignmentListener): Promise<LogMembership> {
    const member = new GroupMember(this.#cluster, new Coordinator(this.#cluster, this.#group), this.#group, listener)
    this.#members.add(member)
    await member.join()
    return member
  }

  reader(partition: number): LogReader {
    const { partitionCount, topic } = this.#cluster
    if (!(Number.isInteger(partition) && partition >= 0 && partition < partitionCount)) {
      throw new ConfigurationError(
        `Topic ${topic} has partitions 0 to ${partitionCount - 1}, got partition ${partition}.`,
        {
          topic,
        },
      )
    }
    const reader: LogReader = new WireReader(this.#cluster, partition, () => this.#readers.delete(reader))
    this.#readers.add(reader)
    return reader
  }

  /** Leaves the group and closes readers and connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.leave()))
    await Promise.all([...this.#readers].map((reader) => reader.close()))
    this.#cluster.close()
  }
}
