import { ConfigurationError, type ErrorPlace, type MillraceError, RetryableError } from '../../../runtime/errors.ts'
import { requireKnownHosts } from '../advertisedHosts.ts'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { decisiveTrouble } from '../listenerProbe.ts'
import type { KafkajsBroker, KafkajsCluster } from './internals.ts'
import { type OpenedCluster, openCluster } from './openCluster.ts'
import { kafkajsTrouble, protocolErrorOf } from './trouble.ts'

/**
 * Connections to a cluster, for one topic. After any trouble they are all dropped and the next request makes new ones, so that
 * nothing stale outlives a broker that went away, moved or came back.
 */
export class KafkajsClient {
  readonly #settings: KafkaSettings
  readonly #topic: string
  #live: Promise<OpenedCluster> | null = null
  #wasAccepted: boolean
  #isClosed = false

  constructor(settings: KafkaSettings, topic: string, options: { readonly wasAccepted?: boolean } = {}) {
    this.#settings = settings
    this.#topic = topic
    this.#wasAccepted = options.wasAccepted ?? false
  }

  /** Runs `action`, and throws what goes wrong as an error of ours. `doing` completes "could not ...". */
  async use<T>(doing: string, place: ErrorPlace, action: (cluster: KafkajsCluster) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new RetryableError(`Kafka: could not ${doing}: the source was closed.`, place)
    this.#live ??= this.#connect()
    const live = this.#live
    try {
      return await action((await live).cluster)
    } catch (error) {
      if (this.#live === live) this.#live = null
      live.then(drop, () => undefined)
      if (!this.#wasAccepted && protocolErrorOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw this.#unknownTopic(error)
      const trouble = kafkajsTrouble(error, doing, place, this.#wasAccepted)
      throw this.#wasAccepted ? trouble : await decisiveTrouble(trouble, this.#settings)
    }
  }

  /** As of `metadataMaxAgeMs` ago at most, or of now. */
  async partitions({ isFresh = false } = {}): Promise<readonly number[]> {
    const found = await this.use(
      `read the metadata of topic ${this.#topic}`,
      { topic: this.#topic },
      async (cluster) => {
        if (isFresh) await cluster.refreshMetadata()
        else await cluster.refreshMetadataIfNecessary()
        return cluster.findTopicPartitionMetadata(this.#topic)
      },
    )
    return found.map(({ partitionId }) => partitionId).sort((left, right) => left - right)
  }

  /** An error of kafkajs as one of ours. */
  trouble(error: unknown, doing: string): MillraceError {
    return kafkajsTrouble(error, doing, { topic: this.#topic }, this.#wasAccepted)
  }

  /** Closes at once; requests under way fail. */
  close(): void {
    this.#isClosed = true
    this.#live?.then(drop, () => undefined)
    this.#live = null
  }

  async #connect(): Promise<OpenedCluster> {
    const { brokers, clientId } = this.#settings
    // Each broker of the list once; whoever asked decides about more.
    const live = openCluster(this.#settings, clientId, Math.max(1, brokers.length - 1))
    const { cluster } = live
    try {
      await cluster.connect()
      await cluster.addTargetTopic(this.#topic)
      if (!this.#wasAccepted) await requireKnownHosts(this.#settings, cluster.brokerPool.metadata?.brokers ?? [])
    } catch (error) {
      drop(live)
      throw error
    }
    this.#wasAccepted = true
    if (this.#isClosed) drop(live)
    return live
  }

  #unknownTopic(cause: unknown): ConfigurationError {
    return new ConfigurationError(
      `The Kafka cluster at ${this.#settings.brokers.join(', ')} has no topic ${this.#topic}. Create it, or set the topic to one that exists.`,
      { topic: this.#topic, cause },
    )
  }
}

/** The partition's leader, by metadata that is as old as the settings allow. */
export async function leaderOf(cluster: KafkajsCluster, topic: string, partition: number): Promise<KafkajsBroker> {
  await cluster.refreshMetadataIfNecessary()
  const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
  if (found === undefined || found.leader < 0) {
    throw new RetryableError(`${topic}/${partition} has no leader at the moment. It is tried again.`, {
      topic,
      partition,
    })
  }
  return cluster.findBroker({ nodeId: found.leader })
}

// kafkajs waits for answers before it ends a connection; a destroyed socket is what makes it give them up.
function drop({ cluster, sockets }: OpenedCluster): void {
  for (const socket of sockets) socket.destroy(new Error('The connection was given up'))
  cluster.disconnect().catch(() => undefined)
}
