import type { Socket } from 'node:net'
import { ConfigurationError, type ErrorPlace, type MillraceError, RetryableError } from '../../../runtime/errors.ts'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { onTlsAnswer } from '../tlsAnswer.ts'
import { Cluster, createSocket, type KafkajsBroker, type KafkajsCluster, silentLogger } from './internals.ts'
import { kafkajsTrouble, protocolErrorOf } from './trouble.ts'

export const READ_COMMITTED = 1

interface Live {
  readonly cluster: KafkajsCluster
  readonly sockets: Set<Socket>
}

/**
 * Connections to a cluster, for one topic. After any trouble they are all dropped and the next request makes new ones, so that
 * nothing stale outlives a broker that went away, moved or came back.
 */
export class KafkajsClient {
  readonly #settings: KafkaSettings
  readonly #topic: string
  #live: Promise<Live> | null = null
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
      throw kafkajsTrouble(error, doing, place, this.#wasAccepted)
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

  async #connect(): Promise<Live> {
    const { brokers, clientId, ssl, sasl, connectTimeoutMs, requestTimeoutMs, metadataMaxAgeMs } = this.#settings
    const sockets = new Set<Socket>()
    const cluster = new Cluster({
      brokers: [...brokers],
      clientId,
      ssl: ssl === true ? {} : ssl,
      ...(sasl === undefined ? {} : { sasl: sasl as { mechanism: 'plain'; username: string; password: string } }),
      connectionTimeout: connectTimeoutMs,
      authenticationTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      enforceRequestTimeout: true,
      // Each broker of the list once; whoever asked decides about more.
      retry: { retries: Math.max(1, brokers.length - 1), initialRetryTime: 50, maxRetryTime: 200 },
      logger: silentLogger,
      metadataMaxAge: metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      isolationLevel: READ_COMMITTED,
      socketFactory: (args) => {
        const socket = createSocket(args)
        if (ssl === false) onTlsAnswer(socket, (error) => socket.destroy(error))
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
        return socket
      },
    })
    const live = { cluster, sockets }
    try {
      await cluster.connect()
      await cluster.addTargetTopic(this.#topic)
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
function drop({ cluster, sockets }: Live): void {
  for (const socket of sockets) socket.destroy(new Error('The connection was given up'))
  cluster.disconnect().catch(() => undefined)
}
