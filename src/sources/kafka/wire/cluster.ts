import type { Clock } from '../../../runtime/clock.ts'
import { ConfigurationError, MillraceError, OffsetOutOfRangeError, RetryableError } from '../../../runtime/errors.ts'
import type { LeaderEpochEnd, LogBounds } from '../../../runtime/log/log.ts'
import { requireKnownHosts } from '../advertisedHosts.ts'
import { canonicalTopicId } from '../canonicalTopicId.ts'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { decisiveTrouble } from '../listenerProbe.ts'
import { type AnswerBuffers, Connection } from '../protocol/connection.ts'
import { protocolErrorName } from '../protocol/errorNames.ts'
import { Refusal } from '../protocol/refusal.ts'
import { apiVersions, epochEnd, isolation, listOffset, offsetsAt, topicMetadata } from '../protocol/topicExchanges.ts'
import { type Broker, connectionOptions, parseAddress, uniqueBrokers } from './address.ts'
import { fetchRecords } from './fetchApi.ts'
import { kafkaTrouble, protocolErrorIn } from './trouble.ts'

export interface Leader {
  readonly broker: Broker
  readonly epoch: number
}

/** Reading alone goes with another client as well. */
export type ClusterUse = 'read' | 'append'

/** What a broker answers where no record is of the time or after it. */
const NO_SUCH_OFFSET = -1
const UNDEFINED_EPOCH = -1

/**
 * What is known of the cluster as far as one topic goes: its id, which never changes while this lasts, its partitions and their leaders.
 *
 * Holds one connection for questions; whoever fetches opens one of its own, because a broker answers in turn and a waiting fetch would hold up others.
 */
export class Cluster {
  readonly topic: string
  readonly settings: KafkaSettings
  readonly clock: Clock
  #topicId: string | null = null
  #leaders: readonly (Leader | null)[] = []
  #refreshedAt = 0
  #refreshing: Promise<void> | null = null
  #control: Promise<Connection> | null = null
  #opening: Promise<Connection> | null = null
  #brokers: readonly Broker[]
  #wasAccepted = false
  readonly #open = new Set<Connection>()
  #isClosed = false
  readonly #use: ClusterUse

  /** @param use what it is for, which a broker may be too old for */
  constructor(settings: KafkaSettings, topic: string, clock: Clock, use: ClusterUse = 'read') {
    this.#use = use
    this.settings = settings
    this.topic = topic
    this.clock = clock
    this.#brokers = settings.brokers.map(parseAddress)
  }

  get topicId(): string {
    if (this.#topicId === null) throw new RetryableError(`Nothing is known of topic ${this.topic} yet.`)
    return this.#topicId
  }

  get partitionCount(): number {
    return this.#leaders.length
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** An error of a connection as one of ours. */
  trouble(error: unknown, doing: string, partition?: number): MillraceError {
    const place = partition === undefined ? { topic: this.topic } : { topic: this.topic, partition }
    return kafkaTrouble(error, doing, place, this.#wasAccepted)
  }

  /** A connection of one's own, with TLS and SASL done. Close it with `release`. */
  async connect(
    broker: Broker,
    own: { readonly requestTimeoutMs?: number; readonly buffers?: AnswerBuffers } = {},
  ): Promise<Connection> {
    const connection = new Connection({ ...connectionOptions(this.settings, broker), ...own })
    this.#open.add(connection)
    try {
      if (this.#isClosed) throw new RetryableError('The Kafka source was closed.')
      await connection.open()
      return connection
    } catch (error) {
      this.release(connection)
      throw this.trouble(error, `connect to ${this.#nameOf(broker)}`)
    }
  }

  /** Closes at once; requests under way fail. */
  release(connection: Connection): void {
    this.#open.delete(connection)
    connection.close()
  }

  /** The connection for short questions, to whichever broker answers. */
  async control(): Promise<Connection> {
    const existing = await this.#control?.catch(() => null)
    if (existing?.isOpen) return existing
    if (existing) this.release(existing)
    // Of several that come here at once, the first opens it.
    this.#control = this.#opening ??= this.#connectToAny().finally(() => {
      this.#opening = null
    })
    return this.#control
  }

  /** Reads the topic's metadata, unless somebody does so already. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh()
      .catch(async (error: unknown) => {
        throw this.#wasAccepted || !(error instanceof MillraceError)
          ? error
          : await decisiveTrouble(error, this.settings)
      })
      .finally(() => {
        this.#refreshing = null
      })
    return this.#refreshing
  }

  async refreshIfOlderThan(ms: number): Promise<void> {
    if (this.clock.now() - this.#refreshedAt > ms) await this.refresh()
  }

  /** The partition's leader as far as known, asked for anew when it is not. */
  async leader(partition: number): Promise<Leader> {
    if (this.#leaders[partition] == null) await this.refresh()
    const leader = this.#leaders[partition]
    if (leader != null) return leader
    throw new RetryableError(`${this.topic}/${partition} has no leader at the moment. It is tried again.`, {
      topic: this.topic,
      partition,
    })
  }

  /** The earliest offset and the last stable one. */
  bounds(partition: number): Promise<LogBounds> {
    return this.#askLeader(partition, `read the bounds of ${this.topic}/${partition}`, async (offset) => {
      const earliest = await offset(offsetsAt.earliest)
      const next = await offset(offsetsAt.latest)
      return { earliest, next, logId: canonicalTopicId(this.topicId) }
    })
  }

  /** The offset of the first record at or after the time (ms UTC), or the last stable offset. */
  offsetAt(partition: number, time: number): Promise<number> {
    return this.#askLeader(partition, `look for a time in ${this.topic}/${partition}`, async (offset) => {
      const found = await offset(BigInt(time))
      return found === NO_SUCH_OFFSET ? offset(offsetsAt.latest) : found
    })
  }

  /** Where the records of a leader epoch end now; null where the broker does not know it. */
  endOfEpoch(partition: number, leaderEpoch: number): Promise<LeaderEpochEnd | null> {
    const doing = `look for the end of leader epoch ${leaderEpoch} in ${this.topic}/${partition}`
    return this.#askLeader(partition, doing, async (_offset, connection, leaderEpochNow) => {
      const place = { topic: this.topic, partition, leaderEpoch: leaderEpochNow }
      const found = await connection.ask(epochEnd, { ...place, epoch: leaderEpoch })
      return found.leaderEpoch === UNDEFINED_EPOCH ? null : found
    })
  }

  close(): void {
    this.#isClosed = true
    for (const connection of [...this.#open]) this.release(connection)
  }

  /** With the addresses that were asked, where it is another that they have told. */
  #nameOf({ host, port }: Broker): string {
    const { brokers } = this.settings
    const isGiven = brokers.map(parseAddress).some((given) => given.host === host && given.port === port)
    return isGiven
      ? `${host}:${port}`
      : `${host}:${port}, where ${brokers.join(', ')} sends its clients (advertised.listeners)`
  }

  /** Asks on a connection of its own. By name, so the topic is made sure of afterwards. */
  async #askLeader<T>(
    partition: number,
    doing: string,
    ask: (offset: (timestamp: bigint) => Promise<number>, connection: Connection, leaderEpoch: number) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const { broker, epoch } = await this.leader(partition)
      let connection: Connection | null = null
      try {
        const opened = await this.connect(broker)
        connection = opened
        const place = { topic: this.topic, partition, leaderEpoch: epoch }
        const offset = (timestamp: bigint) =>
          opened.ask(listOffset, { ...place, isolation: isolation.committed, timestamp })
        const answer = await ask(offset, opened, epoch)
        await this.refresh()
        return answer
      } catch (error) {
        if (attempt > 0 || !isLeadershipError(protocolErrorIn(error))) throw this.trouble(error, doing, partition)
        await this.refresh()
      } finally {
        if (connection !== null) this.release(connection)
      }
    }
  }

  async #refresh(): Promise<void> {
    const doing = `read the metadata of topic ${this.topic}`
    const connection = await this.control()
    const topic = await connection.ask(topicMetadata, this.topic).catch((error: unknown) => {
      throw this.trouble(error, doing)
    })
    if (protocolErrorName(topic.errorCode) === 'UNKNOWN_TOPIC_OR_PARTITION') throw this.#unknownTopic()
    if (topic.errorCode !== 0) throw this.trouble(new Refusal(topic.errorCode), doing)
    if (this.#topicId !== null && topic.topicId !== this.#topicId) throw this.#otherTopic()
    const brokers = new Map(topic.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    const leaders: (Leader | null)[] = []
    for (const { partition, leaderId, leaderEpoch } of topic.partitions) {
      const broker = brokers.get(leaderId)
      leaders[partition] = broker === undefined ? null : { broker, epoch: leaderEpoch }
    }
    if (!this.#wasAccepted) await requireKnownHosts(this.settings, [...brokers.values()])
    this.#topicId = topic.topicId
    this.#wasAccepted = true
    this.#leaders = leaders
    this.#refreshedAt = this.clock.now()
    if (brokers.size > 0) this.#brokers = [...brokers.values(), ...this.settings.brokers.map(parseAddress)]
  }

  #unknownTopic(): MillraceError {
    const { topic } = this
    if (this.#topicId !== null) {
      return new OffsetOutOfRangeError(
        `Topic ${topic} was deleted while it was read. Bring it back under a new name, or start under a new pipeline name if what it held is done with.`,
        { topic },
      )
    }
    return new ConfigurationError(
      `The Kafka cluster at ${this.settings.brokers.join(', ')} has no topic ${topic}. Create it, or set the topic to one that exists.`,
      { topic },
    )
  }

  #otherTopic(): OffsetOutOfRangeError {
    return new OffsetOutOfRangeError(
      `Topic ${this.topic} was deleted and made anew while it was read: its offsets mean other records now. ` +
        'Start under a new pipeline name to read the new topic from its beginning.',
      { topic: this.topic },
    )
  }

  async #connectToAny(): Promise<Connection> {
    let last: unknown = null
    for (const broker of uniqueBrokers(this.#brokers)) {
      let connection: Connection | null = null
      try {
        connection = await this.connect(broker)
        await requireVersions(connection, this.#use)
        return connection
      } catch (error) {
        if (connection !== null) this.release(connection)
        last = this.trouble(error, `reach ${broker.host}:${broker.port}`)
        if (last instanceof ConfigurationError) throw last
      }
    }
    throw this.trouble(last, `reach a broker of ${this.settings.brokers.join(', ')}`)
  }
}

/** Whether what is known of leaders is out of date. */
export function isLeadershipError(name: string | null): boolean {
  return name !== null && LEADERSHIP_ERRORS.has(name)
}

const LEADERSHIP_ERRORS = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
  'KAFKA_STORAGE_ERROR',
  'OFFSET_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
])

async function requireVersions(connection: Connection, use: ClusterUse): Promise<void> {
  const { key, version } = fetchRecords
  const versions = await connection.ask(apiVersions, { software: 'millrace', version: '1' })
  const fetch = versions.find((one) => one.key === key)
  if (fetch !== undefined && fetch.least <= version && fetch.most >= version) return
  throw new ConfigurationError(
    `The broker speaks Fetch up to version ${fetch?.most}, as Apache Kafka before 3.2 does. ${TOO_OLD[use]}`,
  )
}

const TOO_OLD: Readonly<Record<ClusterUse, string>> = {
  read: `kafka.client=wire needs version ${fetchRecords.version}: set kafka.client=kafkajs (KAFKA_CLIENT) to read from it.`,
  append:
    'Appending (ingest, a run with a source, outlets to topics) needs Kafka 3.2 or later whichever client reads: upgrade the brokers, or let other producers append and only read here (--source none, KAFKA_CLIENT=kafkajs).',
}
