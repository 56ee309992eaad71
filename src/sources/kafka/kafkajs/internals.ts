import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Admin, ISocketFactory, KafkaConfig, RetryOptions } from 'kafkajs'

/**
 * The layer of kafkajs below its consumer: connections with TLS and SASL, versions agreed with the broker, requests.
 *
 * Its consumer pushes, has no hook to wait for before partitions go elsewhere, and skips to the high watermark where a response holds only
 * batches that compaction has emptied; none of that can be put right from outside. The last release is of 2023 and the
 * dependency names it exactly, so these modules stay as they are.
 */
const require = createRequire(import.meta.url)

const kafkajs = require('kafkajs') as typeof import('kafkajs')

export const { AssignerProtocol } = kafkajs

/** `request` encodes itself, `response` reads itself; both are bound to the version that was agreed on. */
export interface Exchange {
  readonly request: { readonly apiKey: number; readonly apiVersion: number; encode(): Promise<unknown> }
  readonly response: { decode(bytes: Buffer): Promise<unknown>; parse(data: unknown): Promise<unknown> }
  readonly requestTimeout?: number
}

/** One of the protocol's request types, in all its versions. */
export interface RequestType {
  readonly versions: readonly string[]
}

export interface KafkajsBroker {
  /** What it has said of itself, by API key. */
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null
  readonly connectionPool: { send(exchange: Exchange): Promise<unknown> }
  lookupRequest(apiKey: number, type: RequestType): (args: Readonly<Record<string, unknown>>) => Exchange
  listOffsets(request: { readonly isolationLevel: number; readonly topics: readonly unknown[] }): Promise<{
    readonly responses: readonly { readonly partitions: readonly { readonly offset: string }[] }[]
  }>
}

export interface PartitionMetadata {
  readonly partitionId: number
  readonly leader: number
}

export interface KafkajsCluster {
  readonly brokerPool: {
    /** As the brokers have told it last; null before that. */
    readonly metadata: { readonly brokers: readonly { readonly host: string; readonly port: number }[] } | null
  }
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[]
  findBroker(place: { readonly nodeId: number }): Promise<KafkajsBroker>
  findGroupCoordinator(place: { readonly groupId: string }): Promise<KafkajsBroker>
}

type ClusterOptions = Omit<KafkaConfig, 'logLevel' | 'logCreator'> & {
  readonly logger: unknown
  readonly metadataMaxAge: number
  readonly allowAutoTopicCreation: boolean
  readonly isolationLevel: number
}

export const Cluster = require('kafkajs/src/cluster') as new (options: ClusterOptions) => KafkajsCluster

/** As `kafka.admin()`, on connections that are set up as all others. */
export const createAdmin = require('kafkajs/src/admin') as (options: {
  readonly logger: unknown
  readonly retry: RetryOptions
  readonly cluster: KafkajsCluster
}) => Admin

export const Encoder = require('kafkajs/src/protocol/encoder') as new () => {
  writeBufferInternal(bytes: Buffer): void
}

export const requests = (
  require('kafkajs/src/protocol/requests') as {
    requests: Readonly<
      Record<'Fetch' | 'JoinGroup' | 'SyncGroup' | 'Heartbeat' | 'LeaveGroup' | 'OffsetCommit', RequestType>
    >
  }
).requests

export const apiKeys = {
  Fetch: 1,
  Metadata: 3,
  OffsetCommit: 8,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  OffsetForLeaderEpoch: 23,
} as const

export const createSocket = (require('kafkajs/src/network/socketFactory') as () => ISocketFactory)()

/** Every error is thrown to whoever asked, so there is nothing to log. */
export const silentLogger = (require('kafkajs/src/loggers') as { createLogger(options: object): unknown }).createLogger(
  {
    level: 0,
    logCreator: () => () => undefined,
  },
)

// An answer that is nothing of Kafka is thrown out of the listener for data, where nobody could catch it: the process would end.
const connection = require('kafkajs/src/network/connection') as {
  prototype: { processData(bytes: Buffer): void; readonly socket: Socket }
}
const processData = connection.prototype.processData
connection.prototype.processData = function (bytes: Buffer): void {
  try {
    processData.call(this, bytes)
  } catch (cause) {
    this.socket.destroy(new Error('The answer is nothing of Kafka', { cause }))
  }
}

// With nothing to send and no throttling, kafkajs 2.2.4 arms a timer for a moment long gone and does so again each time it fires: a
// thousand times a second and connection, which Node 24 began to warn of (tulios/kafkajs#1751). Without pending requests there is nothing to
// look after, and one that comes later arms the timer itself.
const requestQueue = require('kafkajs/src/network/requestQueue') as {
  prototype: { scheduleCheckPendingRequests(): void; readonly pending: readonly unknown[] }
}
const scheduleCheck = requestQueue.prototype.scheduleCheckPendingRequests
requestQueue.prototype.scheduleCheckPendingRequests = function (): void {
  if (this.pending.length > 0) scheduleCheck.call(this)
}
