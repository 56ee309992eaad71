// Users need not name it in their tsconfig: the declarations speak of Buffer.
/// <reference types="node" preserve="true" />

/** A header of a record. */
export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/** Names the operator for which a record that it had set aside comes a second time. */
export const redriveHeader = 'millrace-redrive'

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
 */
export class RecordView {
  /** Place of the record in its partition. */
  offset = 0
  /** What the producer, or the log, stamped on the record: ms UTC, or -1 for none. */
  timestamp = -1
  /** Holds the whole batch; key and value are ranges of it. */
  buffer: Buffer = Buffer.alloc(0)
  keyStart = 0
  keyLength = -1
  valueStart = 0
  valueLength = -1
  headersLength = 0

  headers(): RecordHeader[] {
    return []
  }

  keyCopy(): Buffer | null {
    return null
  }

  /** The key as text, or null. Allocates. */
  keyText(): string | null {
    return this.keyLength < 0 ? null : this.buffer.toString('utf8', this.keyStart, this.keyStart + this.keyLength)
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
}
