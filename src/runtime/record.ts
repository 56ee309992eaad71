// Users need not name it in their tsconfig: the declarations speak of Buffer.
/// <reference types="node" preserve="true" />

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
  /**
   * Set by whoever has shown that the value is one JSON object on one line, by the rules of `isJsonObject`, so that
   * nobody has to look again. False says nothing. The task clears it before each record.
   */
  isKnownJsonObject = false

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
