import type { RecordView } from './record.ts'

const noBytes = Buffer.alloc(0)

/** Records that lie in one buffer, as columns: row i is about the i-th. Has room for `most` of them, and is as valid as the batch that they are of. */
export class RecordColumns {
  /** How many there is room for. */
  readonly most: number
  /** How many there are. */
  count = 0
  /** Holds keys, values and headers of all of them. */
  buffer: Buffer = noBytes
  /** By record: its place in its partition. */
  readonly offsets: Float64Array
  /** By record: ms UTC, -1 for none. */
  readonly timestamps: Float64Array
  /** By record: where its key lies in the buffer, in bytes. */
  readonly keyStarts: Int32Array
  /** By record: of its key, in bytes; -1 for null. */
  readonly keyLengths: Int32Array
  /** By record: where its value lies in the buffer, in bytes. */
  readonly valueStarts: Int32Array
  /** By record: of its value, in bytes; -1 for null. */
  readonly valueLengths: Int32Array
  /** By record: where its headers lie in the buffer, in bytes. */
  readonly headersStarts: Int32Array
  /** By record: of its headers, in bytes; 0 for none. */
  readonly headersLengths: Int32Array

  /** @param most how many records it may hold */
  constructor(most: number) {
    this.most = most
    this.offsets = new Float64Array(most)
    this.timestamps = new Float64Array(most)
    this.keyStarts = new Int32Array(most)
    this.keyLengths = new Int32Array(most)
    this.valueStarts = new Int32Array(most)
    this.valueLengths = new Int32Array(most)
    this.headersStarts = new Int32Array(most)
    this.headersLengths = new Int32Array(most)
  }

  /** Adds one, which lies in the buffer of those that are there; there has to be room for it. */
  add(record: RecordView): void {
    const at = this.count
    this.count = at + 1
    this.buffer = record.buffer
    this.offsets[at] = record.offset
    this.timestamps[at] = record.timestamp
    this.keyStarts[at] = record.keyStart
    this.keyLengths[at] = record.keyLength
    this.valueStarts[at] = record.valueStart
    this.valueLengths[at] = record.valueLength
    this.headersStarts[at] = record.headersStart
    this.headersLengths[at] = record.headersLength
  }

  /** Lets go of the buffer and of what is in it. */
  clear(): void {
    this.count = 0
    this.buffer = noBytes
  }
}
