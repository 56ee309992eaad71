import { ConfigurationError } from '../../runtime/errors.ts'
import { headersBytes, writeHeaders } from '../../runtime/log/encodeHeaders.ts'
import { farthestTimestamp, type RecordHeader } from '../../runtime/log/record.ts'
import { varintBytes, writeVarint } from '../../runtime/varint.ts'
import { checksum } from './checksum.ts'
import {
  ATTRIBUTES,
  BASE_OFFSET,
  BASE_SEQUENCE,
  BASE_TIMESTAMP,
  BATCH_LENGTH,
  CRC,
  HEADER_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  LENGTH_STARTS_AT,
  MAGIC,
  MAGIC_V2,
  MAX_TIMESTAMP,
  PRODUCER_EPOCH,
  PRODUCER_ID,
  RECORD_COUNT,
} from './layout.ts'

/** What a record batch keeps of a record; an `OutgoingRecord` is one. */
export interface BatchRecord {
  /** ms UTC, or -1 for none. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

const NO_HEADERS: readonly RecordHeader[] = []

/** Attributes, and both deltas and lengths at their longest. */
const MOST_OVERHEAD_BYTES = 32

/** At least as many bytes as `record` takes in a batch. */
export function recordBytesAtMost(record: BatchRecord): number {
  const { key, value, headers = NO_HEADERS } = record
  return MOST_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + headersBytes(headers)
}

/**
 * Gives one uncompressed Kafka record batch v2 with the records at `baseOffset`, `baseOffset + 1`, and so on.
 *
 * Throws `ConfigurationError` for no records at all, for an offset that is not a safe integer and for a timestamp
 * that is not whole ms within 2^51.
 */
export function encodeRecordBatch(baseOffset: number, records: readonly BatchRecord[]): Buffer {
  const first = records[0]
  if (first === undefined) throw new ConfigurationError('A record batch needs at least one record, got none.')
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0) {
    throw new ConfigurationError(`A base offset must be an integer from 0 up, got ${baseOffset}.`)
  }

  let maxTimestamp = first.timestamp
  let size = HEADER_BYTES
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    if (!(Number.isInteger(record.timestamp) && Math.abs(record.timestamp) <= farthestTimestamp)) {
      throw new ConfigurationError(
        `A record's timestamp must be whole ms from -${farthestTimestamp} to ${farthestTimestamp}, got ${record.timestamp}.`,
      )
    }
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp
    const body = bodyBytes(record, record.timestamp - first.timestamp, index)
    size += varintBytes(body) + body
  }

  const batch = Buffer.allocUnsafe(size)
  writeHeader(batch, baseOffset, records.length, first.timestamp, maxTimestamp)
  let at = HEADER_BYTES
  for (let index = 0; index < records.length; index++) {
    at = writeRecord(batch, at, records[index]!, first.timestamp, index)
  }
  batch.writeUInt32BE(checksum(batch, ATTRIBUTES, batch.length), CRC)
  return batch
}

/** Gives a batch without a record, as compaction leaves one behind: it stands for `count` offsets from `baseOffset` on. */
export function encodeEmptyBatch(baseOffset: number, count: number): Buffer {
  const batch = Buffer.allocUnsafe(HEADER_BYTES)
  writeHeader(batch, baseOffset, count, -1, -1)
  batch.writeInt32BE(0, RECORD_COUNT)
  batch.writeUInt32BE(checksum(batch, ATTRIBUTES, batch.length), CRC)
  return batch
}

function writeHeader(batch: Buffer, baseOffset: number, count: number, baseTimestamp: number, maxTimestamp: number) {
  batch.writeBigInt64BE(BigInt(baseOffset), BASE_OFFSET)
  batch.writeInt32BE(batch.length - LENGTH_STARTS_AT, BATCH_LENGTH)
  batch.writeInt32BE(-1, LEADER_EPOCH)
  batch.writeInt8(MAGIC_V2, MAGIC)
  batch.writeInt16BE(0, ATTRIBUTES)
  batch.writeInt32BE(count - 1, LAST_OFFSET_DELTA)
  batch.writeBigInt64BE(BigInt(baseTimestamp), BASE_TIMESTAMP)
  batch.writeBigInt64BE(BigInt(maxTimestamp), MAX_TIMESTAMP)
  batch.writeBigInt64BE(-1n, PRODUCER_ID)
  batch.writeInt16BE(-1, PRODUCER_EPOCH)
  batch.writeInt32BE(-1, BASE_SEQUENCE)
  batch.writeInt32BE(count, RECORD_COUNT)
}

function bodyBytes(record: BatchRecord, timestampDelta: number, offsetDelta: number): number {
  const { key, value, headers = NO_HEADERS } = record
  const deltas = varintBytes(timestampDelta) + varintBytes(offsetDelta)
  return 1 + deltas + fieldBytes(key) + fieldBytes(value) + headersBytes(headers)
}

function fieldBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length
}

function writeRecord(batch: Buffer, start: number, record: BatchRecord, baseTimestamp: number, index: number): number {
  const timestampDelta = record.timestamp - baseTimestamp
  let at = writeVarint(batch, start, bodyBytes(record, timestampDelta, index))
  batch[at++] = 0
  at = writeVarint(batch, at, timestampDelta)
  at = writeVarint(batch, at, index)
  at = writeField(batch, at, record.key)
  at = writeField(batch, at, record.value)
  return writeHeaders(batch, at, record.headers ?? NO_HEADERS)
}

function writeField(batch: Buffer, start: number, field: Uint8Array | null): number {
  if (field === null) return writeVarint(batch, start, -1)
  const at = writeVarint(batch, start, field.length)
  batch.set(field, at)
  return at + field.length
}
