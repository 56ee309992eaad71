import { ConfigurationError, CorruptRecordError } from '../../../runtime/errors.ts'
import type { LeaderEpochStart } from '../../../runtime/log.ts'
import { checksum } from '../../recordBatch/checksum.ts'
import {
  ATTRIBUTES,
  BASE_OFFSET,
  BATCH_LENGTH,
  CONTROL,
  CRC,
  HEADER_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  LENGTH_STARTS_AT,
  MAGIC,
  MAGIC_V2,
  PRODUCER_ID,
  TRANSACTIONAL,
} from '../../recordBatch/layout.ts'
import { apiKeys, type DecodedRecord, Decoder, decodeRecordBatch, type KafkajsBroker, requests } from './internals.ts'
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

interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/** What a consumer may see of them. */
export interface FetchedRecords {
  readonly records: readonly DecodedRecord[]
  /** Behind the last whole batch, also where nothing of it may be seen; null when there was none. */
  readonly nextOffset: number | null
  readonly byteLength: number
  /** Under which leaders the whole batches were written, in order. */
  readonly leaderEpochs: readonly LeaderEpochStart[]
}

/** Aborted transactions, and batches of magic 2, came with version 4 (Kafka 0.11). */
const FIRST_VERSION = 4
const ABORT = 0

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

/**
 * Decodes what was fetched, leaving out control batches, aborted transactions and what lies below `offset`. Throws
 * `CorruptRecordError` where a checksum or the decoder says so. A batch that the broker has cut off at the end is left for the next fetch.
 */
export async function decodeFetched(place: Place, offset: number, fetched: FetchedBytes): Promise<FetchedRecords> {
  const { records: bytes } = fetched
  const aborting = new AbortedRanges(fetched.aborted)
  const records: DecodedRecord[] = []
  const leaderEpochs: LeaderEpochStart[] = []
  let nextOffset: number | null = null
  let at = 0
  while (at + HEADER_BYTES <= bytes.length) {
    const end = at + LENGTH_STARTS_AT + bytes.readInt32BE(at + BATCH_LENGTH)
    if (end > bytes.length) break
    const batch = bytes.subarray(at, end)
    requireIntact(place, batch)
    const leaderEpoch = batch.readInt32BE(LEADER_EPOCH)
    if (leaderEpoch > (leaderEpochs.at(-1)?.leaderEpoch ?? -1))
      leaderEpochs.push({ leaderEpoch, offset: Number(batch.readBigInt64BE(BASE_OFFSET)) })
    const lastOffset = Number(batch.readBigInt64BE(BASE_OFFSET)) + batch.readInt32BE(LAST_OFFSET_DELTA)
    const attributes = batch.readInt16BE(ATTRIBUTES)
    const isControl = (attributes & CONTROL) !== 0
    const isTransactional = (attributes & TRANSACTIONAL) !== 0
    const isAborted = isTransactional && aborting.covers(batch.readBigInt64BE(PRODUCER_ID), lastOffset)
    if (lastOffset >= offset && (isControl || !isAborted)) {
      const decoded = await decode(place, batch)
      if (isControl) aborting.end(batch.readBigInt64BE(PRODUCER_ID), decoded)
      else for (const record of decoded) if (Number(record.offset) >= offset) records.push(record)
    }
    nextOffset = Math.max(offset, lastOffset + 1)
    at = end
  }
  return { records, nextOffset, byteLength: at, leaderEpochs }
}

/** Which producers are inside a transaction that came to nothing, as the offsets go by. */
class AbortedRanges {
  readonly #upcoming: AbortedTransaction[]
  readonly #inside = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    // Brokers list them by where they end.
    this.#upcoming = [...aborted].sort((left, right) => left.firstOffset - right.firstOffset)
  }

  covers(producerId: bigint, lastOffset: number): boolean {
    for (let next = this.#upcoming[0]; next !== undefined && next.firstOffset <= lastOffset; next = this.#upcoming[0]) {
      this.#inside.add(next.producerId)
      this.#upcoming.shift()
    }
    return this.#inside.has(producerId)
  }

  /** A control record's key is its version and its type, an int16 each. */
  end(producerId: bigint, [marker]: readonly DecodedRecord[]): void {
    const key = marker?.key
    if (key != null && key.length >= 4 && key.readInt16BE(2) === ABORT) this.#inside.delete(producerId)
  }
}

function requireIntact(place: Place, batch: Buffer): void {
  const offset = Number(batch.readBigInt64BE(BASE_OFFSET))
  const magic = batch.readInt8(MAGIC)
  if (magic !== MAGIC_V2) {
    throw new CorruptRecordError(
      `${name(place)}: the batch at offset ${offset} has format ${magic}; only format 2 (Kafka 0.11 and later) can be read.`,
      { ...place, offset },
    )
  }
  const stored = batch.readUInt32BE(CRC)
  const computed = checksum(batch, ATTRIBUTES, batch.length)
  if (batch.length < HEADER_BYTES || stored !== computed) {
    throw new CorruptRecordError(
      `${name(place)}: the batch at offset ${offset} is broken: its CRC-32C is ${stored}, its bytes give ${computed}.`,
      { ...place, offset },
    )
  }
}

async function decode(place: Place, batch: Buffer): Promise<readonly DecodedRecord[]> {
  try {
    return (await decodeRecordBatch(new Decoder(batch))).records
  } catch (error) {
    const offset = Number(batch.readBigInt64BE(BASE_OFFSET))
    throw new CorruptRecordError(
      `${name(place)}: the batch at offset ${offset} cannot be decoded: ${(error as Error).message}.`,
      { ...place, offset, cause: error },
    )
  }
}

const name = ({ topic, partition }: Place) => `${topic}/${partition}`
