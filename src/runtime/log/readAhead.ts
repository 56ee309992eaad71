import type { RecordBatch } from './log.ts'
import { RecordView } from './record.ts'
import { RecordColumns } from './recordColumns.ts'

/** No more are read ahead, so that what is read of them is still in the cache of the core when it is used. */
export const mostAhead = 512

const noBytes = Buffer.alloc(0)
const onlyPartition = { partition: 0, partitions: 1 }
let fillings = 0

/**
 * Records of one batch that were read ahead, one of them at hand: where they lie in one buffer, as columns, so that a codec can read many at once.
 *
 * Holds the places of at most so many records, and of one more that lies in another buffer. They are as valid as the batch.
 */
export class ReadAhead extends RecordColumns {
  /** The record at hand, as soon as `show` was called for it. */
  readonly view = new RecordView()
  /** The row of the first of them, among all that one decoder reads: the partitions of an input that one task reads have one in common. */
  readonly firstRow: number
  /** How many rows such a decoder has. */
  readonly rows: number
  /** The number of the one at hand, from 0; -1 before the first. */
  at = -1
  /** A number that no other filling has, so that who has read ahead knows whether that was of these records. */
  filling = 0
  #shown = -1
  /** One that was read and lies in another buffer than those before it. */
  readonly #behind = new RecordView()
  /** By record: of keys and values of all before it, in bytes. */
  readonly #bytesBefore: Float64Array
  #hasBehind = false
  /** What the batch has thrown behind the records at hand. */
  #failure: { readonly error: unknown } | null = null

  /**
   * @param most how many records it may hold
   * @param place where its input is one of several partitions: its number among them, and how many they are
   */
  constructor(most: number, place: { readonly partition: number; readonly partitions: number } = onlyPartition) {
    super(most)
    this.#bytesBefore = new Float64Array(most + 1)
    this.firstRow = place.partition * most
    this.rows = place.partitions * most
  }

  /** True where another record is behind the one at hand, without asking the batch. */
  get hasNext(): boolean {
    return this.at + 1 < this.count
  }

  /** Moves to the next record, of those read ahead or of the batch; false where there is none. Throws what the batch throws, at the record that it throws at. */
  next(batch: RecordBatch): boolean {
    if (!this.hasNext && !this.#fill(batch)) return false
    this.at += 1
    return true
  }

  /** Of keys and values of the records from that one up to, not including, `end`; bytes. */
  bytesBetween(from: number, end: number): number {
    return (this.#bytesBefore[end] as number) - (this.#bytesBefore[from] as number)
  }

  /** Points the view at the record at hand. */
  show(): RecordView {
    const { view, at } = this
    if (at === this.#shown) return view
    this.#shown = at
    view.offset = this.offsets[at] as number
    view.timestamp = this.timestamps[at] as number
    view.buffer = this.buffer
    view.keyStart = this.keyStarts[at] as number
    view.keyLength = this.keyLengths[at] as number
    view.valueStart = this.valueStarts[at] as number
    view.valueLength = this.valueLengths[at] as number
    view.headersStart = this.headersStarts[at] as number
    view.headersLength = this.headersLengths[at] as number
    return view
  }

  /** Whether it is the record at hand: not one that a step has made of it, or has moved. */
  isAtHand(record: RecordView): boolean {
    const { view, at } = this
    if (record !== view) return false
    if (at !== this.#shown) return true
    return (
      view.buffer === this.buffer &&
      view.valueStart === this.valueStarts[at] &&
      view.valueLength === this.valueLengths[at]
    )
  }

  /** Lets go of the buffer and of what was read ahead. */
  release(): void {
    this.clear()
    this.view.buffer = noBytes
    this.#behind.buffer = noBytes
    this.#hasBehind = false
    this.#failure = null
    this.at = -1
    this.#shown = -1
  }

  #fill(batch: RecordBatch): boolean {
    const behind = this.#behind
    this.at = -1
    this.#shown = -1
    this.count = 0
    fillings += 1
    this.filling = fillings
    if (this.#hasBehind) {
      this.#hasBehind = false
      this.add(behind)
    } else if (this.#failure !== null) {
      const { error } = this.#failure
      this.#failure = null
      throw error
    }
    try {
      for (;;) {
        batch.readMany?.(this)
        if (this.count === this.most || !batch.read(behind)) break
        if (this.count > 0 && behind.buffer !== this.buffer) {
          this.#hasBehind = true
          break
        }
        this.add(behind)
      }
    } catch (error) {
      if (this.count === 0) throw error
      this.#failure = { error }
    }
    this.#sumBytes()
    return this.count > 0
  }

  #sumBytes(): void {
    const { keyLengths, valueLengths } = this
    const before = this.#bytesBefore
    let bytes = 0
    for (let at = 0; at < this.count; at += 1) {
      bytes += Math.max(keyLengths[at] as number, 0) + Math.max(valueLengths[at] as number, 0)
      before[at + 1] = bytes
    }
  }
}
