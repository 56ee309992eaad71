import type { RecordBatch } from '../../../runtime/log.ts'
import type { RecordView } from '../../../runtime/record.ts'
import type { DecodedRecord } from './internals.ts'

const NONE = Buffer.alloc(0)

/** Records of kafkajs as a batch. Key and value are ranges of the memory that kafkajs has decoded them from; nothing is copied. */
export class MessageBatch implements RecordBatch {
  readonly partition: number
  readonly nextOffset: number
  readonly byteLength: number
  readonly #records: readonly DecodedRecord[]
  #index = 0
  #memory: Buffer = NONE

  constructor(partition: number, records: readonly DecodedRecord[], nextOffset: number, byteLength: number) {
    this.partition = partition
    this.nextOffset = nextOffset
    this.byteLength = byteLength
    this.#records = records
  }

  read(view: RecordView): boolean {
    const record = this.#records[this.#index++]
    if (record === undefined) return false
    const { key, value } = record
    view.offset = Number(record.offset)
    const timestamp = Number(record.timestamp)
    view.timestamp = Number.isSafeInteger(timestamp) ? timestamp : -1
    view.keyLength = key === null ? -1 : key.length
    view.valueLength = value === null ? -1 : value.length
    // An empty range may lie anywhere, so only what has bytes decides about the memory.
    const filled = [key, value].filter((part): part is Buffer => part !== null && part.length > 0)
    const [first, second] = filled
    if (first !== undefined && second !== undefined && first.buffer !== second.buffer) {
      view.buffer = Buffer.concat(filled)
      view.keyStart = 0
      view.valueStart = first.length
      return true
    }
    if (first !== undefined && first.buffer !== this.#memory.buffer) this.#memory = Buffer.from(first.buffer)
    view.buffer = this.#memory
    view.keyStart = key === null || key.length === 0 ? 0 : key.byteOffset
    view.valueStart = value === null || value.length === 0 ? 0 : value.byteOffset
    return true
  }
}
