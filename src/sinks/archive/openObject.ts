import type { ReadAhead } from '../../runtime/log/readAhead.ts'
import type { RecordFacts, RecordView } from '../../runtime/log/record.ts'
import type { ArchivedObject } from '../../runtime/store/checkpoint.ts'
import { archiveKey, dayOf, isPlausibleTime } from './archiveKey.ts'
import type { BodyBuffers } from './bodyBuffers.ts'
import { LineBuffer } from './lineBuffer.ts'
import type { PieceBuffers } from './pieceBuffers.ts'
import { type Compression, ZstdPieces } from './zstdPieces.ts'

const HOUR_MS = 3_600_000
/** A piece ends with the record that fills it, so where pieces end depends on the records alone. */
const PIECE_BYTES = 256 * 1024
/** Of a value. The line of a longer one is packed slice by slice while it is written, or it would be there beside the record, a third longer. */
const LONGEST_WHOLE_BYTES = 1024 * 1024

/**
 * Where an object ends. Part of what makes a replay write the same objects: change it, and the objects from then on
 * differ.
 */
export interface ObjectLimits {
  /** Of one object. */
  readonly maxRecords: number
  /** Of JSON lines, before compression. */
  readonly maxBytes: number
}

/** An object to upload: its line of the manifest and its bytes. */
export interface SealedObject {
  readonly entry: ArchivedObject
  readonly body: Buffer
}

export interface OpenObjectOptions extends ObjectLimits {
  readonly topic: string
  readonly partition: number
  readonly keyPrefix: string
  readonly compression: Compression
  readonly pieces: PieceBuffers
  readonly bodies: BodyBuffers
  readonly onHeld: (bytes: number) => void
  /** Told as soon as the object can no longer be sealed. */
  readonly onFailed: (error: unknown) => void
}

/**
 * The object that records are being added to. It ends when it holds `maxRecords` records or `maxBytes` bytes of
 * lines, and before a record of a later hour than any in it. A record without a plausible timestamp (before 1970,
 * from 2100 on, or none) never ends an object by its hour. The object's day is that of its first plausible timestamp,
 * else 1970-01-01.
 *
 * Keeps compressed pieces and at most one piece of raw lines, plus those that the thread pool has not compressed yet.
 */
export class OpenObject {
  readonly #options: OpenObjectOptions
  readonly #lines: LineBuffer
  readonly #file: ZstdPieces
  readonly #firstOffset: number
  #lastOffset: number
  #records = 0
  #bytes = 0
  #lineBytesHeld = 0
  /** A plausible time from here on is of a later hour. */
  #hourEnd = Number.POSITIVE_INFINITY
  #firstTime: number | null = null
  #minTimestamp = -1
  #maxTimestamp = -1

  constructor(options: OpenObjectOptions, firstOffset: number) {
    this.#options = options
    this.#firstOffset = firstOffset
    this.#lastOffset = firstOffset
    this.#lines = new LineBuffer(options.pieces)
    const { compression, pieces, bodies, onHeld, onFailed } = options
    this.#file = new ZstdPieces(compression, bodies, onHeld, (piece) => pieces.giveBack(piece), onFailed)
  }

  get isFull(): boolean {
    return this.#records >= this.#options.maxRecords || this.#bytes >= this.#options.maxBytes
  }

  /** True while pieces are with the thread pool, so that what is held will shrink by itself. */
  get isCompressing(): boolean {
    return this.#file.isCompressing
  }

  endsBefore(timestamp: number): boolean {
    return timestamp >= this.#hourEnd && isPlausibleTime(timestamp)
  }

  append(record: RecordView, facts?: RecordFacts): void {
    const bytes =
      record.valueLength > LONGEST_WHOLE_BYTES ? this.#appendInParts(record, facts) : this.#lines.append(record, facts)
    this.#count(record.offset, record.timestamp, bytes)
    this.#countLines(this.#lines.heldBytes)
  }

  /** Takes records in that were read ahead, from the one at hand up to the one before `end`, or the one that the object ends with. The last one taken is at hand then. */
  appendAll(records: ReadAhead, end: number, facts: RecordFacts): void {
    for (;;) {
      const taken = facts.isJsonObject ? this.#appendTogether(records, end) : 0
      if (taken === 0) this.append(records.show(), facts)
      else records.at += taken - 1
      const next = records.at + 1
      if (next === end || this.isFull || this.endsBefore(records.timestamps[next] as number)) break
      records.at = next
    }
    this.#countLines(this.#lines.heldBytes)
  }

  /** Takes in as many from the one at hand on as can be written in one go, and says how many. */
  #appendTogether(records: ReadAhead, end: number): number {
    // Before there is a time, none is known to be of a later hour.
    if (this.#firstTime === null) return 0
    const { maxRecords, maxBytes } = this.#options
    const before = this.#lines.length
    const { at, offsets, timestamps } = records
    const behind = Math.min(end, at + maxRecords - this.#records)
    const enough = Math.min(PIECE_BYTES - before, maxBytes - this.#bytes)
    const count = this.#lines.appendTogether(records, behind, enough, this.#hourEnd)
    if (count === 0) return 0
    this.#bytes += this.#lines.length - before
    this.#records += count
    this.#lastOffset = offsets[at + count - 1] as number
    for (let row = at; row < at + count; row += 1) this.#see(timestamps[row] as number)
    this.#addPiece()
    return count
  }

  #count(offset: number, timestamp: number, bytes: number): void {
    this.#bytes += bytes
    this.#records++
    this.#lastOffset = offset
    if (isPlausibleTime(timestamp)) this.#see(timestamp)
    this.#addPiece()
  }

  #addPiece(): void {
    if (this.#lines.length >= PIECE_BYTES) this.#file.add(this.#lines.take())
  }

  #appendInParts(record: RecordView, facts?: RecordFacts): number {
    return this.#lines.appendInParts(
      record,
      facts,
      () => this.#file.add(this.#lines.take()),
      (part) => this.#file.addNow(part),
    )
  }

  async seal(): Promise<SealedObject> {
    if (this.#lines.length > 0) this.#file.add(this.#lines.take())
    this.#countLines(0)
    const { topic, partition, keyPrefix } = this.#options
    const symbols = this.#lines.keys()
    const { body, sha256 } = await this.#file.finish()
    const offsets = { firstOffset: this.#firstOffset, lastOffset: this.#lastOffset }
    return {
      body,
      entry: {
        key: keyPrefix + archiveKey({ topic, partition, date: dayOf(this.#firstTime), ...offsets }),
        ...offsets,
        recordCount: this.#records,
        sizeBytes: body.length,
        sha256,
        minTimestamp: this.#minTimestamp,
        maxTimestamp: this.#maxTimestamp,
        symbols,
      },
    }
  }

  #see(timestamp: number): void {
    if (this.#firstTime === null) {
      this.#firstTime = timestamp
      this.#minTimestamp = timestamp
    }
    if (timestamp < this.#minTimestamp) this.#minTimestamp = timestamp
    if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp
      this.#hourEnd = (Math.floor(timestamp / HOUR_MS) + 1) * HOUR_MS
    }
  }

  #countLines(held: number): void {
    if (held === this.#lineBytesHeld) return
    this.#options.onHeld(held - this.#lineBytesHeld)
    this.#lineBytesHeld = held
  }
}
