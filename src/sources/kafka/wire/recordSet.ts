import { crc32 } from 'node:zlib'
import { ConfigurationError, CorruptRecordError, type ErrorPlace, type MillraceError } from '../../../runtime/errors.ts'
import {
  ATTRIBUTES,
  BATCH_LENGTH,
  CONTROL,
  HEADER_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  LENGTH_STARTS_AT,
  MAGIC,
  MAGIC_V2,
  PRODUCER_ID,
} from '../../recordBatch/layout.ts'
import type { AbortedRange } from '../../recordBatch/walkOptions.ts'

/** As the leader lists it beside the records: it says where a transaction begins, its marker in the log where it ends. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/** Whole batches of one fetch, for a walker. */
export interface Piece {
  readonly bytes: Buffer
  readonly startOffset: number
}

/** Of a control record's key: version, then type. The record's own header takes at least five bytes before it. */
const ABORT_MARKER = 0

/**
 * The record batches of one fetch response, to be handed over in pieces of whole batches. Nothing is copied.
 *
 * Reads headers only, which the walker believes once it has seen the checksum: a wrong one can misplace a piece, but not get a record past the
 * walker, for the batch that it lies in is checked before any behind it.
 */
export class RecordSet {
  /** Where to fetch on. */
  readonly nextOffset: number
  /** Of the last batch, or -1. */
  readonly leaderEpoch: number
  readonly aborted: readonly AbortedRange[]
  /** What it was made of. */
  readonly bytes: Buffer
  readonly #bytes: Buffer
  #at = 0
  #offset: number

  /**
   * A batch that is cut off at the end is left out, as the protocol has it: the next fetch brings it again. Throws `CorruptRecordError` when not even
   * the first batch is whole, and `ConfigurationError` for the message format before version 2.
   */
  constructor(records: Buffer, fetchOffset: number, aborted: readonly AbortedTransaction[], place: ErrorPlace) {
    let at = 0
    let nextOffset = fetchOffset
    let leaderEpoch = -1
    for (let end = batchEnd(records, at); end !== null; end = batchEnd(records, at)) {
      if (!isMagic(records, at)) {
        // What stands before it is handed over first; the next fetch begins at it.
        if (at > 0) break
        throw wrongMagic(records.subarray(0, end), fetchOffset, place)
      }
      nextOffset = Math.max(
        nextOffset,
        Number(records.readBigInt64BE(at)) + records.readInt32BE(at + LAST_OFFSET_DELTA) + 1,
      )
      leaderEpoch = records.readInt32BE(at + LEADER_EPOCH)
      at = end
    }
    if (at === 0) throw notEvenOne(records, fetchOffset, place)
    this.bytes = records
    this.#bytes = at === records.length ? records : records.subarray(0, at)
    this.#offset = fetchOffset
    this.nextOffset = nextOffset
    this.leaderEpoch = leaderEpoch
    this.aborted = aborted.length === 0 ? [] : abortedRanges(this.#bytes, aborted)
  }

  /** Bytes that are not handed over yet. */
  get byteLength(): number {
    return this.#bytes.length - this.#at
  }

  /** The next whole batches, up to `maxBytes` but at least one. */
  take(maxBytes: number): Piece {
    const startOffset = this.#offset
    const start = this.#at
    if (this.byteLength <= maxBytes) {
      this.#at = this.#bytes.length
      this.#offset = this.nextOffset
      return { bytes: start === 0 ? this.#bytes : this.#bytes.subarray(start), startOffset }
    }
    let end = start
    for (let next = batchEnd(this.#bytes, end); next !== null; next = batchEnd(this.#bytes, end)) {
      if (end > start && next - start > maxBytes) break
      const lastDelta = this.#bytes.readInt32BE(end + LAST_OFFSET_DELTA)
      this.#offset = Math.max(this.#offset, Number(this.#bytes.readBigInt64BE(end)) + lastDelta + 1)
      end = next
    }
    this.#at = end
    return { bytes: this.#bytes.subarray(start, end), startOffset }
  }
}

/** Where the batch at `at` ends, or null when the bytes end before it. */
function batchEnd(bytes: Buffer, at: number): number | null {
  if (bytes.length - at <= MAGIC) return null
  const end = at + LENGTH_STARTS_AT + bytes.readInt32BE(at + BATCH_LENGTH)
  if (end > bytes.length || end <= at + MAGIC) return null
  // Too short for a header of version 2, but perhaps not for one before it.
  return end - at < HEADER_BYTES && bytes.readInt8(at + MAGIC) === MAGIC_V2 ? null : end
}

function isMagic(bytes: Buffer, at: number): boolean {
  return bytes.readInt8(at + MAGIC) === MAGIC_V2
}

/** Version 0 and 1 have their magic in the same place, and a CRC-32 of the other polynomial from there to the end. */
function wrongMagic(batch: Buffer, offset: number, place: ErrorPlace): MillraceError {
  const magic = batch.readInt8(MAGIC)
  const where = `${place.topic}/${place.partition} at offset ${offset}`
  const isOldFormat = (magic === 0 || magic === 1) && crc32(batch.subarray(MAGIC)) === batch.readUInt32BE(12)
  if (isOldFormat) {
    return new ConfigurationError(
      `${where} is in message format ${magic}, from before Apache Kafka 0.11, which is not read. ` +
        'Let the topic be written anew by a current producer.',
      { ...place, offset },
    )
  }
  return new CorruptRecordError(
    `Broken record batch in ${where}: magic ${magic}, which is not a record batch of version 2. Restore the log.`,
    { ...place, offset, ...behindBroken(batch, offset) },
  )
}

/** What the header says, as far as it can be believed. */
function behindBroken(batch: Buffer, offset: number): Pick<ErrorPlace, 'nextOffset'> {
  if (batch.length < HEADER_BYTES) return {}
  const nextOffset = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(LAST_OFFSET_DELTA) + 1
  return Number.isSafeInteger(nextOffset) && nextOffset > offset ? { nextOffset } : {}
}

function notEvenOne(records: Buffer, offset: number, place: ErrorPlace): CorruptRecordError {
  return new CorruptRecordError(
    `Broken record batch in ${place.topic}/${place.partition} near offset ${offset}: ${records.length} bytes without one whole batch. ` +
      'Restore the log.',
    { ...place, offset },
  )
}

/** A transaction of the list ends at the first abort marker of its producer behind its start, or behind these bytes. */
function abortedRanges(bytes: Buffer, transactions: readonly AbortedTransaction[]): AbortedRange[] {
  const markers: { producerId: bigint; offset: number }[] = []
  let at = 0
  for (let end = batchEnd(bytes, at); end !== null; end = batchEnd(bytes, at)) {
    if (isAbortMarker(bytes, at, end)) {
      markers.push({ producerId: bytes.readBigInt64BE(at + PRODUCER_ID), offset: Number(bytes.readBigInt64BE(at)) })
    }
    at = end
  }
  return transactions.map(({ producerId, firstOffset }) => {
    const marker = markers.find((found) => found.producerId === producerId && found.offset >= firstOffset)
    return { producerId, firstOffset, endOffset: marker?.offset ?? Number.POSITIVE_INFINITY }
  })
}

function isAbortMarker(bytes: Buffer, start: number, end: number): boolean {
  if ((bytes.readInt16BE(start + ATTRIBUTES) & CONTROL) === 0) return false
  // Length, attributes, both deltas and the key's length are varints of one byte each in a marker, which is a batch of one small record.
  const key = start + HEADER_BYTES + 5
  return key + 4 <= end && bytes.readInt16BE(key + 2) === ABORT_MARKER
}
