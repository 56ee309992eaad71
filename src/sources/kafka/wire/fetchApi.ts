import { createAPI, type Reader, Writer } from '@platformatic/kafka'
import type { AbortedTransaction } from './recordSet.ts'

/** What is asked of one partition's leader. */
export interface FetchRequest {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  /** Of the batch before `offset`, or -1: lets the leader notice that it never had, or has lost, what was read. */
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
  readonly maxWaitMs: number
}

export interface FetchResponse {
  /** Of the request, or else of the partition. */
  readonly errorCode: number
  readonly lastStableOffset: number
  /** Where the leader's log of `lastFetchedEpoch` ends, when that is below what was asked for; else null. */
  readonly divergesAt: number | null
  readonly abortedTransactions: readonly AbortedTransaction[]
  /** The record batches in the pieces in which they came from the socket, the last batch perhaps cut off. */
  readonly records: readonly Buffer[]
}

const FETCH = 1
/** The first version that names topics by id: a topic that was deleted and made anew is another topic. Apache Kafka 3.1. */
export const FETCH_VERSION = 13
const READ_COMMITTED = 1
const MIN_BYTES = 1
/** Without a fetch session: one partition a request has nothing to leave out. */
const NO_SESSION = 0
const FINAL_EPOCH = -1
const DIVERGING_EPOCH_TAG = 0

/** Fetch of one partition that makes no object of any record: the batches stay bytes. */
export const fetchApi = createAPI<[FetchRequest], FetchResponse>(FETCH, FETCH_VERSION, createRequest, parseResponse)

function createRequest(request: FetchRequest): Writer {
  return Writer.create()
    .appendInt32(-1)
    .appendInt32(request.maxWaitMs)
    .appendInt32(MIN_BYTES)
    .appendInt32(request.maxBytes)
    .appendInt8(READ_COMMITTED)
    .appendInt32(NO_SESSION)
    .appendInt32(FINAL_EPOCH)
    .appendArray([request], (topic) => {
      topic.appendUUID(request.topicId).appendArray([request], (partition) => {
        partition
          .appendInt32(request.partition)
          .appendInt32(request.leaderEpoch)
          .appendInt64(BigInt(request.offset))
          .appendInt32(request.lastFetchedEpoch)
          .appendInt64(-1n)
          .appendInt32(request.maxBytes)
      })
    })
    .appendArray([], () => undefined)
    .appendString('')
    .appendTaggedFields()
}

function parseResponse(_correlationId: number, _apiKey: number, _apiVersion: number, reader: Reader): FetchResponse {
  reader.readInt32()
  const requestError = reader.readInt16()
  reader.readInt32()
  const partitions = reader.readArray((topic) => {
    topic.readUUID()
    return topic.readArray(parsePartition, true, false)
  })
  const found = partitions[0]?.[0]
  if (found !== undefined && requestError === 0) return found
  return {
    errorCode: requestError,
    lastStableOffset: -1,
    divergesAt: null,
    abortedTransactions: [],
    records: [],
  }
}

function parsePartition(reader: Reader): FetchResponse {
  reader.readInt32()
  const errorCode = reader.readInt16()
  reader.readInt64()
  const lastStableOffset = Number(reader.readInt64())
  reader.readInt64()
  const abortedTransactions = reader.readArray((entry) => ({
    producerId: entry.readInt64(),
    firstOffset: Number(entry.readInt64()),
  }))
  reader.readInt32()
  const size = reader.readUnsignedVarInt() - 1
  const records = size > 0 ? reader.buffer.subarray(reader.position, reader.position + size).buffers : []
  if (size > 0) reader.skip(size)
  return { errorCode, lastStableOffset, divergesAt: divergence(reader), abortedTransactions, records }
}

function divergence(reader: Reader): number | null {
  let divergesAt: number | null = null
  for (let tags = reader.readUnsignedVarInt(); tags > 0; tags--) {
    const tag = reader.readUnsignedVarInt()
    const end = reader.readUnsignedVarInt() + reader.position
    if (tag === DIVERGING_EPOCH_TAG) {
      reader.readInt32()
      divergesAt = Number(reader.readInt64())
    }
    reader.position = end
  }
  return divergesAt
}
