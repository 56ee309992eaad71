import { ConfigurationError } from '../../../runtime/errors.ts'
import type { AbortedTransaction } from '../wire/recordSet.ts'
import { apiKeys, type KafkajsBroker, requests } from './internals.ts'
import { READ_COMMITTED } from './openCluster.ts'

export interface Place {
  readonly topic: string
  readonly partition: number
}

export interface FetchRequest extends Place {
  readonly offset: number
  readonly maxBytes: number
  readonly maxWaitMs: number
}

/** The bytes of a partition as the broker has sent them. */
export interface FetchedBytes {
  /** The protocol's error code, 0 for none. */
  readonly errorCode: number
  readonly aborted: readonly AbortedTransaction[]
  readonly records: Buffer
}

/** Aborted transactions, and batches of magic 2, came with version 4 (Kafka 0.11). */
const FIRST_VERSION = 4

/** Asks a partition's leader for records, as far as they are committed. */
export async function fetchBytes(leader: KafkajsBroker, request: FetchRequest): Promise<FetchedBytes> {
  const { topic, partition, offset, maxBytes, maxWaitMs } = request
  const { request: encoded, response } = leader.lookupRequest(
    apiKeys.Fetch,
    requests.Fetch,
  )({
    replicaId: -1,
    isolationLevel: READ_COMMITTED,
    maxWaitTime: maxWaitMs,
    minBytes: 1,
    maxBytes,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }],
  })
  const version = encoded.apiVersion
  if (version < FIRST_VERSION) {
    throw new ConfigurationError(`The broker speaks Fetch up to version ${version}; Kafka 0.11 or later is needed.`)
  }
  // kafkajs would decode it, but forget where batches end that have nothing to show.
  const decode = async (bytes: Buffer) => decodeResponse(bytes, version)
  const found = await leader.connectionPool.send({
    request: encoded,
    response: { ...response, decode, parse: async (data) => data },
    requestTimeout: maxWaitMs + 10_000,
  })
  return found as FetchedBytes
}

/** FetchResponse v4 to v11, of one topic and partition: https://kafka.apache.org/protocol#The_Messages_Fetch */
function decodeResponse(bytes: Buffer, version: number): FetchedBytes & { readonly clientSideThrottleTime: number } {
  const clientSideThrottleTime = bytes.readInt32BE(0)
  let at = 4
  let errorCode = 0
  if (version >= 7) {
    errorCode = bytes.readInt16BE(at)
    at += 6
  }
  const none = { errorCode, aborted: [], records: Buffer.alloc(0), clientSideThrottleTime }
  const topics = bytes.readInt32BE(at)
  if (topics < 1) return none
  at += 4
  at += 2 + bytes.readInt16BE(at)
  if (bytes.readInt32BE(at) < 1) return none
  at += 8
  errorCode = bytes.readInt16BE(at) || errorCode
  // The error, the high watermark, the last stable offset and, from 5 on, the log's start.
  at += 2 + 8 + 8 + (version >= 5 ? 8 : 0)
  const aborted: AbortedTransaction[] = []
  let left = bytes.readInt32BE(at)
  at += 4
  for (; left > 0; left--, at += 16) {
    aborted.push({ producerId: bytes.readBigInt64BE(at), firstOffset: Number(bytes.readBigInt64BE(at + 8)) })
  }
  if (version >= 11) at += 4
  const length = Math.max(0, bytes.readInt32BE(at))
  return { errorCode, aborted, records: bytes.subarray(at + 4, at + 4 + length), clientSideThrottleTime }
}
