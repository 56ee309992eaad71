// Users need not name it in their tsconfig: the declarations speak of Buffer.
/// <reference types="node" preserve="true" />

import { VarintReader } from '../varint.ts'

/** ms before and after 1970 that a log has a time for, some 71,000 years: the difference of two such times, with its sign, is still a safe integer. */
export const farthestTimestamp = 2 ** 51

/** One of a record's headers. A name may occur more than once. */
export interface RecordHeader {
  /** Text in Kafka; bytes that are not UTF-8 read as U+FFFD. */
  readonly key: string
  readonly value: Uint8Array | null
}

/** The header of a record that was a dead letter and was fed again: its value names, in UTF-8, the operator that had set it aside. */
export const redriveHeader = 'millrace-redrive'

/** The header beside it: its value names, in UTF-8, the pipeline whose dead letter it was. To others that read the topic the record is nothing new. */
export const redrivePipelineHeader = 'millrace-redrive-pipeline'

/** True for headers that say for whom a record was fed again, which are about the record and not of it. */
export function isRedriveHeader({ key }: RecordHeader): boolean {
  return key === redriveHeader || key === redrivePipelineHeader
}

/** What the graph has found out about the bytes of a record, so that the archive need not look again. The task clears it before each record. */
export interface RecordFacts {
  /** True when the value was shown to be one JSON object on one line, by the rules of `isJsonObject`. False says nothing. */
  isJsonObject: boolean
}

/**
 * One record of a log, seen in place: a view of key and value bytes inside the buffer of its batch.
 *
 * The same view is moved from record to record, so it is valid during the push only; whoever wants to keep
 * something copies it out. A length of -1 means null (Kafka's convention), which differs from empty.
 * `keyStart`, `valueStart` and `headersStart` are places in `buffer`, in bytes; `keyLength`, `valueLength` and `headersLength` are sizes in bytes.
 */
export class RecordView {
  /** Place of the record in its partition. */
  offset = 0
  /** What the producer, or the log, stamped on the record: ms UTC, or -1 for none. */
  timestamp = -1
  /** Holds the whole batch; key, value and headers are ranges of it. */
  buffer: Buffer = Buffer.alloc(0)
  keyStart = 0
  keyLength = -1
  valueStart = 0
  valueLength = -1
  headersStart = 0
  /** Of the headers as Kafka's batches encode them, their count first; 0 where the record has none. Whoever sets it has checked them. */
  headersLength = 0

  /** The key as text, or null. Allocates. */
  keyText(): string | null {
    return this.keyLength < 0 ? null : this.buffer.toString('utf8', this.keyStart, this.keyStart + this.keyLength)
  }

  /** A copy of the key's bytes, or null. Allocates. */
  keyCopy(): Buffer | null {
    return this.keyLength < 0 ? null : Buffer.from(this.buffer.subarray(this.keyStart, this.keyStart + this.keyLength))
  }

  /** A copy of the value's bytes, or null. Allocates. */
  valueCopy(): Buffer | null {
    return this.valueLength < 0
      ? null
      : Buffer.from(this.buffer.subarray(this.valueStart, this.valueStart + this.valueLength))
  }

  /** The value as UTF-8 text, or null. Allocates. */
  valueText(): string | null {
    return this.valueLength < 0
      ? null
      : this.buffer.toString('utf8', this.valueStart, this.valueStart + this.valueLength)
  }

  /** A copy of the value of the first header of that name, given in UTF-8; undefined where there is none. Looks at the bytes in place. */
  headerValue(name: Uint8Array): Uint8Array | null | undefined {
    if (this.headersLength === 0) return undefined
    const { buffer } = this
    const reader = new VarintReader(buffer, this.headersStart)
    for (let left = reader.next(); left > 0; left--) {
      const keyLength = reader.next()
      const keyStart = reader.at
      reader.at += keyLength
      const valueLength = reader.next()
      const valueStart = reader.at
      if (valueLength > 0) reader.at += valueLength
      if (keyLength !== name.length || buffer.compare(name, 0, name.length, keyStart, keyStart + keyLength) !== 0)
        continue
      return valueLength < 0 ? null : Buffer.from(buffer.subarray(valueStart, valueStart + valueLength))
    }
    return undefined
  }

  /**
   * Copies of the headers, in their order. Allocates.
   * @param mostBytes only those that lie wholly in so many bytes of them; all, if left out
   */
  headers(mostBytes = this.headersLength): RecordHeader[] {
    if (this.headersLength === 0) return []
    const { buffer } = this
    const reader = new VarintReader(buffer, this.headersStart)
    const end = this.headersStart + mostBytes
    const headers: RecordHeader[] = []
    for (let left = reader.next(); left > 0; left--) {
      const keyLength = reader.next()
      const keyStart = reader.at
      reader.at += keyLength
      const valueLength = reader.next()
      const valueStart = reader.at
      if (valueLength > 0) reader.at += valueLength
      if (reader.at > end) break
      const key = buffer.toString('utf8', keyStart, keyStart + keyLength)
      const value = valueLength < 0 ? null : Buffer.from(buffer.subarray(valueStart, valueStart + valueLength))
      headers.push({ key, value })
    }
    return headers
  }
}
