import { encodeHeaders } from '../../../runtime/encodeHeaders.ts'
import type { LeaderEpochStart, RecordBatch } from '../../../runtime/log.ts'
import type { RecordHeader, RecordView } from '../../../runtime/record.ts'
import type { DecodedRecord } from './internals.ts'

const NONE = Buffer.alloc(0)

/**
 * Records of kafkajs as a batch. Key and value are ranges of the memory that kafkajs has decoded them from; nothing is copied, unless a
 * record has headers. Of those kafkajs keeps the order within a name, and that of the names where none is repeated or a number.
 */
export class MessageBatch implements RecordBatch {
  readonly partition: number
  readonly nextOffset: number
  readonly byteLength: number
  readonly leaderEpochs: readonly LeaderEpochStart[]
  readonly #records: readonly DecodedRecord[]
  #index = 0
  #memory: Buffer = NONE

  constructor(
    partition: number,
    records: readonly DecodedRecord[],
    nextOffset: number,
    byteLength: number,
    leaderEpochs: readonly LeaderEpochStart[],
  ) {
    this.partition = partition
    this.leaderEpochs = leaderEpochs
    this.nextOffset = nextOffset
    this.byteLength = byteLength
    this.#records = records
  }

  read(view: RecordView): boolean {
    const record = this.#records[this.#index++]
    if (record === undefined) return false
    const { key, value } = record
    const headers = encodeHeaders(headersOf(record))
    view.headersStart = 0
    view.headersLength = headers.length
    view.offset = Number(record.offset)
    const timestamp = Number(record.timestamp)
    view.timestamp = Number.isSafeInteger(timestamp) ? timestamp : -1
    view.keyLength = key === null ? -1 : key.length
    view.valueLength = value === null ? -1 : value.length
    // An empty range may lie anywhere, so only what has bytes decides about the memory.
    const filledKey = key !== null && key.length > 0 ? key : null
    const filledValue = value !== null && value.length > 0 ? value : null
    const isApart = filledKey !== null && filledValue !== null && filledKey.buffer !== filledValue.buffer
    if (isApart || headers.length > 0) {
      view.buffer = Buffer.concat([headers, filledKey ?? NONE, filledValue ?? NONE])
      view.keyStart = headers.length
      view.valueStart = headers.length + (filledKey?.length ?? 0)
      return true
    }
    const memory = (filledValue ?? filledKey)?.buffer
    if (memory !== undefined && memory !== this.#memory.buffer) this.#memory = Buffer.from(memory)
    view.buffer = this.#memory
    view.keyStart = filledKey?.byteOffset ?? 0
    view.valueStart = filledValue?.byteOffset ?? 0
    return true
  }
}

function headersOf({ headers }: DecodedRecord): RecordHeader[] {
  const found: RecordHeader[] = []
  for (const key in headers) {
    for (const value of [headers[key]].flat()) {
      if (value === null || Buffer.isBuffer(value)) found.push({ key, value })
    }
  }
  return found
}
