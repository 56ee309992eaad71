import { ConfigurationError, CorruptRecordError } from '../../runtime/errors.ts'
import type { LeaderEpochStart, RecordBatch } from '../../runtime/log/log.ts'
import type { RecordView } from '../../runtime/log/record.ts'
import type { RecordColumns } from '../../runtime/log/recordColumns.ts'
import { checksum } from './checksum.ts'
import {
  ATTRIBUTES,
  BASE_TIMESTAMP,
  BATCH_LENGTH,
  COMPRESSION_MASK,
  COMPRESSION_NAMES,
  CONTROL,
  CRC,
  HEADER_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  LENGTH_STARTS_AT,
  LOG_APPEND_TIME,
  MAGIC,
  MAGIC_V2,
  MAX_TIMESTAMP,
  PRODUCER_ID,
  RECORD_COUNT,
  TRANSACTIONAL,
} from './layout.ts'
import { OpenBatch } from './openBatch.ts'
import type { AbortedRange, Decompress, WalkerOptions, WalkRange } from './walkOptions.ts'

const DEFAULT_MAX_BATCH_BYTES = 64 << 20

/** An int64 is a safe integer when its high half lies within 21 bits and a sign. */
const SAFE_HIGH = 0x200000
const HIGH = 0x100000000
const NO_TIMESTAMP = -1

const noBytes = Buffer.alloc(0)

/**
 * Walks consecutive Kafka record batches v2 in one buffer, in place: no object a record, nothing allocated by `read`.
 *
 * One walker serves one reader: `load` points it at other bytes, and the batch that it stood for before is over. Every batch is
 * checked against its CRC-32C before its first record is handed over. A timestamp beyond the safe integers cannot be a time in
 * ms and reads as -1, none. Throws `CorruptRecordError` with topic, partition and offset on broken bytes, from then on always.
 */
export class RecordBatchWalker implements RecordBatch {
  readonly topic: string
  readonly partition: number
  readonly #options: WalkerOptions
  #nextOffset = 0
  #byteLength = 0
  #leaderEpochs: LeaderEpochStart[] = []
  #isWhole = true

  #bytes: Buffer = noBytes
  #aborted: readonly AbortedRange[] | undefined = undefined
  #startOffset = 0
  #endOffset = Number.MAX_SAFE_INTEGER
  #gapless = false
  #failure: CorruptRecordError | ConfigurationError | null = null

  /** Where the next batch starts, and the offset that it may not lie below. */
  #batchAt = 0
  #batchOffset = 0

  readonly #open = new OpenBatch()
  #frameEnd = 0

  constructor(topic: string, partition: number, options: WalkerOptions = {}) {
    this.topic = topic
    this.partition = partition
    this.#options = options
  }

  get nextOffset(): number {
    return this.#nextOffset
  }

  get byteLength(): number {
    return this.#byteLength
  }

  /** As the brokers that wrote them have it, batches without records for readers included. */
  get leaderEpochs(): readonly LeaderEpochStart[] {
    return this.#leaderEpochs
  }

  /** False where not all of the bytes are whole batches: `read` throws there, behind the records before. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Takes on `bytes`, which must stay unchanged while they are walked. */
  load(bytes: Buffer, range: WalkRange = {}): this {
    this.#bytes = bytes
    this.#open.bytes = bytes
    this.#aborted = range.aborted
    this.#byteLength = bytes.length
    this.#startOffset = range.startOffset ?? 0
    this.#endOffset = range.endOffset ?? Number.MAX_SAFE_INTEGER
    this.#gapless = range.gaplessFrom !== undefined
    this.#batchAt = 0
    this.#batchOffset = range.gaplessFrom ?? 0
    this.#open.at = 0
    this.#open.remaining = 0
    this.#open.end = 0
    this.#open.previousDelta = -1
    this.#failure = null
    this.#nextOffset = Math.min(this.#offsetBehindAll(), this.#endOffset)
    return this
  }

  /** Lets go of the bytes, of which nothing more is read: those that are fetched next need not lie beside them. */
  release(): void {
    this.#bytes = noBytes
    this.#open.bytes = noBytes
    this.#open.remaining = 0
  }

  read(view: RecordView): boolean {
    for (;;) {
      if (this.#open.remaining === 0 && !this.#enterBatch()) return false
      const length = this.#varint(this.#open.end)
      const end = this.#open.at + length
      if (length < 0 || end > this.#open.end) this.#fail(`a record's length of ${length} bytes`)
      this.#open.at++
      const timestampDelta = this.#varlong(end)
      const offsetDelta = this.#varint(end)
      if (offsetDelta <= this.#open.previousDelta || offsetDelta > this.#open.lastOffsetDelta) {
        this.#fail(
          `an offset delta of ${offsetDelta} after ${this.#open.previousDelta}, of at most ${this.#open.lastOffsetDelta}`,
        )
      }
      this.#open.previousDelta = offsetDelta
      const keyLength = this.#varint(end)
      const keyStart = this.#open.at
      if (keyLength > 0) this.#open.at += keyLength
      else if (keyLength < -1) this.#fail(`a key of ${keyLength} bytes`)
      const valueLength = this.#varint(end)
      const valueStart = this.#open.at
      if (valueLength > 0) this.#open.at += valueLength
      else if (valueLength < -1) this.#fail(`a value of ${valueLength} bytes`)
      const headersStart = this.#open.at
      const headers = this.#varint(end)
      if (headers !== 0) this.#skipHeaders(headers, end)
      if (this.#open.at !== end) this.#fail(`a record that ends ${this.#open.at - end} bytes past its length`)
      this.#open.remaining--
      if (this.#open.remaining === 0 && end !== this.#open.end)
        this.#fail(`${this.#open.end - end} bytes behind the last record`)

      const offset = this.#open.baseOffset + offsetDelta
      if (offset < this.#startOffset) continue
      if (offset >= this.#endOffset) {
        this.#open.remaining = 0
        this.#batchAt = this.#bytes.length
        return false
      }
      view.offset = offset
      view.timestamp = this.#open.fixedTimestamp ? this.#open.baseTimestamp : this.#timestamp(timestampDelta)
      view.buffer = this.#open.bytes
      view.keyStart = keyStart
      view.keyLength = keyLength
      view.valueStart = valueStart
      view.valueLength = valueLength
      view.headersStart = headersStart
      view.headersLength = headers === 0 ? 0 : end - headersStart
      return true
    }
  }

  readMany(columns: RecordColumns): void {
    const open = this.#open
    while (columns.count < columns.most && (open.remaining > 0 || this.#enterBatch())) {
      if (columns.count > 0 && columns.buffer !== open.bytes) return
      open.readPlain(columns, this.#startOffset, this.#endOffset)
      if (open.remaining > 0) return
    }
  }

  /** Opens the next batch that holds wanted records; false behind the last one. */
  #enterBatch(): boolean {
    if (this.#failure !== null) throw this.#failure
    while (this.#batchAt < this.#bytes.length && this.#batchOffset < this.#endOffset) {
      const bytes = this.#bytes
      const start = this.#batchAt
      const end = this.#checkFrame(start)
      this.#checkCrc(start, end)
      const attributes = bytes.readInt16BE(start + ATTRIBUTES)
      const count = bytes.readInt32BE(start + RECORD_COUNT)
      if (count < 0) this.#fail(`a count of ${count} records`)
      if (count === 0 && end !== start + HEADER_BYTES) this.#fail('bytes in a batch without records')
      this.#batchAt = end
      this.#batchOffset = this.#open.baseOffset + this.#open.lastOffsetDelta + 1
      // A control batch marks the end of a transaction; its offset counts, its records are not for readers.
      if (count === 0 || (attributes & CONTROL) !== 0 || this.#batchOffset <= this.#startOffset) continue
      if ((attributes & TRANSACTIONAL) !== 0 && this.#isAborted(start)) continue
      this.#open.fixedTimestamp = (attributes & LOG_APPEND_TIME) !== 0
      this.#open.baseTimestamp = readInt64(bytes, start + (this.#open.fixedTimestamp ? MAX_TIMESTAMP : BASE_TIMESTAMP))
      if (this.#open.fixedTimestamp && !Number.isSafeInteger(this.#open.baseTimestamp))
        this.#open.baseTimestamp = NO_TIMESTAMP
      this.#openRecords(start + HEADER_BYTES, end, attributes & COMPRESSION_MASK)
      this.#open.remaining = count
      return true
    }
    return false
  }

  /** Hops from header to header; what they say is believed only once the checksum has been seen. */
  #offsetBehindAll(): number {
    const firstOffset = this.#batchOffset
    this.#leaderEpochs = []
    let newest = -1
    let at = 0
    while (at < this.#bytes.length && this.#frameFault(at) === null) {
      const leaderEpoch = this.#bytes.readInt32BE(at + LEADER_EPOCH)
      if (leaderEpoch > newest) {
        newest = leaderEpoch
        this.#leaderEpochs.push({ leaderEpoch, offset: this.#open.baseOffset })
      }
      at = this.#frameEnd
      this.#batchOffset = this.#open.baseOffset + this.#open.lastOffsetDelta + 1
    }
    this.#isWhole = at >= this.#bytes.length
    const behindAll = this.#batchOffset
    this.#batchOffset = firstOffset
    return Math.max(behindAll, this.#startOffset)
  }

  /** Reads base offset, last delta and length of the batch at `start`; gives its end. */
  #checkFrame(start: number): number {
    const fault = this.#frameFault(start)
    if (fault === null) return this.#frameEnd
    this.#open.baseOffset = this.#batchOffset
    this.#open.lastOffsetDelta = -1
    return this.#fail(fault)
  }

  /** What is wrong with the header at `start`; null where it tells base offset, last delta and end of a batch. */
  #frameFault(start: number): string | null {
    const bytes = this.#bytes
    const left = bytes.length - start
    this.#open.previousDelta = -1
    if (left < HEADER_BYTES) return `${left} bytes where a batch header takes ${HEADER_BYTES}`
    const magic = bytes.readInt8(start + MAGIC)
    if (magic !== MAGIC_V2) return `magic ${magic}, which is not a record batch of version 2`
    const length = bytes.readInt32BE(start + BATCH_LENGTH) + LENGTH_STARTS_AT
    if (length < HEADER_BYTES || length > left) return `a batch of ${length} bytes where ${left} are left`
    const baseOffset = readInt64(bytes, start)
    const lastOffsetDelta = bytes.readInt32BE(start + LAST_OFFSET_DELTA)
    if (!Number.isSafeInteger(baseOffset + lastOffsetDelta) || baseOffset < 0 || lastOffsetDelta < 0) {
      return `base offset ${baseOffset} with a last offset delta of ${lastOffsetDelta}`
    }
    if (this.#gapless ? baseOffset !== this.#batchOffset : baseOffset < this.#batchOffset) {
      return `base offset ${baseOffset} where ${this.#batchOffset}${this.#gapless ? '' : ' or more'} was due`
    }
    this.#open.baseOffset = baseOffset
    this.#open.lastOffsetDelta = lastOffsetDelta
    this.#frameEnd = start + length
    return null
  }

  #checkCrc(start: number, end: number): void {
    const stored = this.#bytes.readUInt32BE(start + CRC)
    const actual = checksum(this.#bytes, start + ATTRIBUTES, end)
    if (stored !== actual) this.#fail(`CRC-32C ${hex(actual)} where the batch says ${hex(stored)}`)
  }

  #isAborted(start: number): boolean {
    if (this.#aborted === undefined) {
      this.#refuse(
        'belongs to a transaction, which this log is not supposed to hold. Write the topic without transactional.id.',
      )
    }
    if (this.#aborted.length === 0) return false
    const producerId = this.#bytes.readBigInt64BE(start + PRODUCER_ID)
    const offset = this.#open.baseOffset
    return this.#aborted.some(
      (range) => range.producerId === producerId && offset >= range.firstOffset && offset < range.endOffset,
    )
  }

  /** Points at the records, which are decompressed whole: the bound on that is what keeps a small batch from filling the memory. */
  #openRecords(start: number, end: number, codec: number): void {
    this.#open.bytes = this.#bytes
    this.#open.at = start
    this.#open.end = end
    if (codec === 0) return
    const name = COMPRESSION_NAMES[codec]
    if (name === undefined) this.#fail(`compression by codec ${codec}, which does not exist`)
    const { decompress, maxBatchBytes = DEFAULT_MAX_BATCH_BYTES } = this.#options
    if (decompress === undefined) {
      this.#refuse(
        `is compressed (${name}), which this log is not supposed to hold. Write the topic with compression.type=none.`,
      )
    }
    const records = this.#decompressed(decompress, codec, name, maxBatchBytes)
    if (records === null) {
      this.#refuse(
        `takes ${end - start} bytes and more than ${maxBatchBytes} once it is decompressed (${name}). ` +
          'Raise kafka.maxBatchBytes (KAFKA_MAX_BATCH_BYTES) if its producer meant that.',
      )
    }
    this.#open.bytes = records
    this.#open.at = 0
    this.#open.end = records.length
  }

  #decompressed(decompress: Decompress, codec: number, name: string, mostBytes: number): Buffer | null {
    try {
      return decompress(codec, this.#bytes.subarray(this.#open.at, this.#open.end), mostBytes)
    } catch (error) {
      return this.#fail(`${name} data that cannot be decompressed (${error instanceof Error ? error.message : error})`)
    }
  }

  #refuse(what: string): never {
    this.#open.remaining = 0
    this.#failure = new ConfigurationError(
      `The batch at ${this.topic}/${this.partition}/${this.#open.baseOffset} ${what}`,
      {
        topic: this.topic,
        partition: this.partition,
        offset: Math.max(this.#open.baseOffset, this.#startOffset),
        nextOffset: this.#open.baseOffset + this.#open.lastOffsetDelta + 1,
      },
    )
    throw this.#failure
  }

  #skipHeaders(count: number, end: number): void {
    if (count < 0) this.#fail(`a count of ${count} headers`)
    for (let index = 0; index < count; index++) {
      const keyLength = this.#varint(end)
      if (keyLength < 0) this.#fail(`a header's key of ${keyLength} bytes`)
      this.#open.at += keyLength
      const valueLength = this.#varint(end)
      if (valueLength < -1) this.#fail(`a header's value of ${valueLength} bytes`)
      if (valueLength > 0) this.#open.at += valueLength
    }
  }

  #timestamp(delta: number): number {
    const timestamp = this.#open.baseTimestamp + delta
    return Number.isSafeInteger(timestamp) ? timestamp : NO_TIMESTAMP
  }

  /** A zigzag varint of 32 bits. */
  #varint(limit: number): number {
    const first = this.#open.at < limit ? (this.#open.bytes[this.#open.at++] as number) : this.#outOfBytes()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    const second = this.#open.at < limit ? (this.#open.bytes[this.#open.at++] as number) : this.#outOfBytes()
    if (second < 0x80) {
      const two = (first & 0x7f) | (second << 7)
      return (two >>> 1) ^ -(two & 1)
    }
    let bits = (first & 0x7f) | ((second & 0x7f) << 7)
    for (let shift = 14; shift <= 28; shift += 7) {
      const byte = this.#open.at < limit ? (this.#open.bytes[this.#open.at++] as number) : this.#outOfBytes()
      if (shift === 28 && byte > 0x0f) break
      bits |= (byte & 0x7f) << shift
      if (byte < 0x80) return (bits >>> 1) ^ -(bits & 1)
    }
    return this.#fail('a varint of more than 32 bits')
  }

  /** A zigzag varint of 64 bits; infinite where a number cannot hold it exactly. */
  #varlong(limit: number): number {
    const first = this.#open.at < limit ? (this.#open.bytes[this.#open.at++] as number) : this.#outOfBytes()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let bits = first & 0x7f
    let weight = 0x80
    for (let index = 1; index < 10; index++) {
      const byte = this.#open.at < limit ? (this.#open.bytes[this.#open.at++] as number) : this.#outOfBytes()
      if (index === 9 && byte > 1) break
      bits += (byte & 0x7f) * weight
      if (byte < 0x80) {
        if (bits > Number.MAX_SAFE_INTEGER) return Number.POSITIVE_INFINITY
        return (first & 1) === 0 ? bits / 2 : -(bits + 1) / 2
      }
      weight *= 0x80
    }
    return this.#fail('a varint of more than 64 bits')
  }

  #outOfBytes(): never {
    return this.#fail('a record that runs past its end')
  }

  #fail(found: string): never {
    const nextOffset = this.#open.baseOffset + this.#open.lastOffsetDelta + 1
    const following = Math.max(this.#open.baseOffset + this.#open.previousDelta + 1, this.#startOffset)
    // A batch may be broken behind its last record; what is left out then must not be of the next batch.
    const offset = this.#open.lastOffsetDelta < 0 ? following : Math.min(following, nextOffset - 1)
    this.#open.remaining = 0
    this.#failure = new CorruptRecordError(
      `Broken record batch in ${this.topic}/${this.partition} at offset ${offset}: ${found}. ` +
        'Nothing from there on was handed over as a record; restore the log.',
      {
        topic: this.topic,
        partition: this.partition,
        offset,
        ...(Number.isSafeInteger(nextOffset) && nextOffset > offset ? { nextOffset } : {}),
      },
    )
    throw this.#failure
  }
}

function readInt64(bytes: Buffer, at: number): number {
  const high = bytes.readInt32BE(at)
  const low = bytes.readUInt32BE(at + 4)
  return high >= -SAFE_HIGH && high < SAFE_HIGH ? high * HIGH + low : Number.POSITIVE_INFINITY
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}
