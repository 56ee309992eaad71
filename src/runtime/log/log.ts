import type { RecordHeader, RecordView } from './record.ts'
import type { RecordColumns } from './recordColumns.ts'

/**
 * Consecutive records of one partition in one buffer, valid until the next fetch on the reader that gave it.
 */
export interface RecordBatch {
  readonly partition: number
  /** Where to go on after this batch. Past the last record's offset + 1 where the log has compacted or hidden offsets. */
  readonly nextOffset: number
  /** Of all its records, as they lie in the buffer; bytes. */
  readonly byteLength: number
  /** Under which leaders its records were written, in order, where the log says. */
  readonly leaderEpochs?: readonly LeaderEpochStart[]
  /** Moves `view` to the next record; false when there is none left. Throws `CorruptRecordError` on broken bytes. */
  read(view: RecordView): boolean
  /**
   * Adds the next records to the columns, as many as it can read together and there is room for: all that are there then lie in one buffer. It may add none; then `read` says how it goes on.
   * Throws what `read` throws at the record behind those that it has added.
   */
  readMany?(columns: RecordColumns): void
}

/** What is left in a partition: offsets of records from `earliest` up to, not including, `next`. */
export interface LogBounds {
  readonly earliest: number
  readonly next: number
  /** Which log this is, where the name does not tell: a topic that was deleted and made anew has another one. */
  readonly logId?: string
}

/** From an offset on, records were written under one leader of the partition; a later leader has a greater epoch. */
export interface LeaderEpochStart {
  /** Counts the leaders of the partition. */
  readonly leaderEpoch: number
  /** Of the first record that was written under it. */
  readonly offset: number
}

/** Where the records of an epoch and those before it end in the log as it is now. */
export interface LeaderEpochEnd {
  /** Counts the leaders of the partition: the one that was asked about, or the greatest below it that the log still knows. */
  readonly leaderEpoch: number
  /** First offset behind the last of them; counts offsets. */
  readonly end: number
}

/** How much one fetch may bring, and how long it may wait. */
export interface FetchOptions {
  /** Soft limit: one batch is handed over even when it is larger. */
  readonly maxBytes: number
  /** How long to wait for a record when the reader has caught up. */
  readonly maxWaitMs: number
  /** Ends the wait; the fetch then gives null, and what is under way for it is for the one after it. */
  readonly signal?: AbortSignal
}

/**
 * Reads one partition in order. Pull is the backpressure: a reader that is not asked fetches nothing beyond its own bounded read-ahead.
 */
export interface LogReader {
  readonly partition: number
  /** The next fetch starts here. */
  seek(offset: number): void
  /** The next batch, or null when nothing came within `maxWaitMs` or the signal fired. Throws `OffsetOutOfRangeError`. */
  fetch(options: FetchOptions): Promise<RecordBatch | null>
  /** Asks the log what it holds now. */
  bounds(): Promise<LogBounds>
  /**
   * The offset of the first record, in the order of the log, whose timestamp is at or after the time (ms UTC, a whole number from 0 up); `next` of the bounds where
   * there is none. Neither moves the reader nor ends the batch that it has lent.
   */
  offsetAt(time: number): Promise<number>
  /**
   * Where the records of an epoch end now, for a log whose batches tell theirs; null where it cannot say. Below an offset that was read from the epoch, or of an
   * older one: the log has lost its end since, and what stands there may be other records.
   */
  endOfEpoch?(leaderEpoch: number): Promise<LeaderEpochEnd | null>
  /** Ends a fetch that waits, and lets go of its buffers. */
  close(): Promise<void>
}

/** Called while a membership lasts; `onRevoke` is awaited, within the log's own bound, before a partition goes elsewhere. */
export interface AssignmentListener {
  /** These partitions are this member's from now on; they come on top of those that it has. */
  onAssign(partitions: readonly number[]): void
  onRevoke(partitions: readonly number[]): Promise<void>
  /**
   * Instead of `onRevoke`, where the group has given the member up (it was not heard of in time) and it joins again by itself: `onAssign` follows, with none
   * of the partitions if need be.
   */
  onLost?(partitions: readonly number[]): Promise<void>
  /** The membership has ended by itself: everything was revoked and nothing will be assigned any more. */
  onFailed?(error: Error): void
}

/** A topic whose partitions can be read from any offset that it still keeps. */
export interface LogSource {
  readonly topic: string
  /** The numbers of all partitions, from 0. */
  partitions(): Promise<readonly number[]>
  /** Takes part in sharing the partitions. A log without sharing assigns all of them at once. */
  join(listener: AssignmentListener): Promise<LogMembership>
  /** A reader of its own; `seek` tells it where to begin. */
  reader(partition: number): LogReader
  /** For when nobody reads any more: lets go of connections. The records stay. */
  close(): Promise<void>
}

/** The part that a worker has in sharing the partitions of a topic. */
export interface LogMembership {
  /** For lag tools only; recovery never reads it back. */
  reportProgress(partition: number, nextOffset: number): void
  /** Gives up what is assigned and takes part no more. */
  leave(): Promise<void>
}

/** A record on its way into a log. */
export interface OutgoingRecord {
  readonly partition: number
  /** ms UTC: the event time where it is known. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** None unless told; kept in their order. */
  readonly headers?: readonly RecordHeader[]
}

/**
 * Appends to a log in the name of a producer, whose position is stored with the records: what a producer reads back after a
 * crash is exactly what the log holds, so it appends nothing twice and leaves nothing out.
 */
export interface LogWriter {
  /** Takes the producer over (an older holder is fenced) and gives the position of its last append, or null for a new one. */
  claim(producer: string): Promise<{ readonly position: string | null }>
  /**
   * Appends all or nothing, in order per partition, with the position. One at a time: throws `ConfigurationError` while another append is under way, and
   * `TaskFencedError` when another holder has claimed.
   */
  append(records: readonly OutgoingRecord[], position: string): Promise<void>
  /** Lets go of connections. What was appended stays. */
  close(): Promise<void>
}

/** A topic that outlets send messages to. */
export interface OutgoingTopic {
  /** Of this caller alone. Closed by whoever opened it. */
  readonly writer: LogWriter
  /** The partition of a key, as other producers of the log spread keys. A message without one goes to `fallbackPartition`, brought into the range of partition numbers. */
  partitionOf(key: Uint8Array | null, fallbackPartition: number): number
  /** How many partitions it has, as far as the writer knows; a marker goes to each of them. */
  readonly partitions: number
}

/** Opens a topic of the log for messages of outlets; it is there already, or is made. */
export type OpenOutgoingTopic = (topic: string) => Promise<OutgoingTopic>
