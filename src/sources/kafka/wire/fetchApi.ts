import type { AnswerReader } from '../protocol/answerReader.ts'
import { type Exchange, flexible } from '../protocol/exchange.ts'
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
  /** The record batches as they came, the last one perhaps cut off. */
  readonly records: Buffer
}

const READ_COMMITTED = 1
const MIN_BYTES = 1
/** Without a fetch session: one partition a request has nothing to leave out. */
const NO_SESSION = 0
const FINAL_EPOCH = -1
const DIVERGING_EPOCH_TAG = 0
const noBytes = Buffer.alloc(0)

/** Fetch of one partition, in the first version that names topics by id: a topic that was deleted and made anew is another topic. Apache Kafka 3.1. */
export const fetchRecords: Exchange<FetchRequest, FetchResponse> = {
  key: 1,
  version: 13,
  tagged: flexible,
  write: (writer, request) =>
    writer
      .int32(-1)
      .int32(request.maxWaitMs)
      .int32(MIN_BYTES)
      .int32(request.maxBytes)
      .int8(READ_COMMITTED)
      .int32(NO_SESSION)
      .int32(FINAL_EPOCH)
      .list([request.topicId], (topicId) =>
        writer
          .uuid(topicId)
          .list([request.partition], (partition) =>
            writer
              .int32(partition)
              .int32(request.leaderEpoch)
              .int64(BigInt(request.offset))
              .int32(request.lastFetchedEpoch)
              .int64(-1n)
              .int32(request.maxBytes)
              .end(),
          )
          .end(),
      )
      .list([], () => undefined)
      .text('')
      .end(),
  read(reader) {
    reader.int32()
    const errorCode = reader.int16()
    reader.int32()
    const [found] = reader
      .list(() => {
        reader.uuid()
        const partitions = reader.list(() => readPartition(reader))
        reader.end()
        return partitions
      })
      .flat()
    if (found !== undefined && errorCode === 0) return found
    return { errorCode, lastStableOffset: -1, divergesAt: null, abortedTransactions: [], records: noBytes }
  },
}

function readPartition(reader: AnswerReader): FetchResponse {
  reader.int32()
  const errorCode = reader.int16()
  reader.int64()
  const lastStableOffset = Number(reader.int64())
  reader.int64()
  const abortedTransactions = reader.list(() => {
    const one = { producerId: reader.int64(), firstOffset: Number(reader.int64()) }
    reader.end()
    return one
  })
  reader.int32()
  const records = reader.bytesOrNull() ?? noBytes
  let divergesAt: number | null = null
  reader.end((tag) => {
    if (tag !== DIVERGING_EPOCH_TAG) return
    reader.int32()
    divergesAt = Number(reader.int64())
  })
  return { errorCode, lastStableOffset, divergesAt, abortedTransactions, records }
}
