import type { OutgoingRecord } from './log.ts'

/** How much one read may hand over, and how long it may wait. */
export interface FeedReadOptions {
  /** The most that one read hands over; what the feed cannot part, such as one yield of a feed of one's own, may be more. */
  readonly maxRecords: number
  /** Soft limit: one record is handed over even when it is larger. */
  readonly maxBytes: number
  /** Longest wait for more, ms, once there is one record. A feed that never waits, such as a file, takes no notice. */
  readonly lingerMs: number
  /** When it fires the read resolves with what is at hand, which may be nothing. */
  readonly signal: AbortSignal
}

/** Consecutive records of a feed, and where to go on after them. */
export interface FeedBatch {
  /** May be empty. The position of an empty batch is not stored: it moves with the next record. */
  readonly records: readonly OutgoingRecord[]
  /** Resuming here makes neither one of these records again nor leaves one out. Opaque to everybody but the feed. */
  readonly position: string
}

/** Something that is wrong with a feed while it goes on. */
export interface FeedTrouble {
  /** In words: what it is, and what it waits for. */
  readonly what: string
  /** ms UTC since when. */
  readonly since: number
}

/** How far a feed is, for a status line. */
export interface FeedProgress {
  /** Bytes of the source that are done; null where nobody counts them. */
  readonly bytesDone: number | null
  /** How many there are; null where there is no end in sight. */
  readonly bytesTotal: number | null
  /** What the feed waits for ("reconnecting to wss://…, attempt 3"), or null. */
  readonly waitingFor: string | null
  /** What the feed has to say about itself, by name, such as reconnects or lines left out. */
  readonly counts: Readonly<Record<string, number>>
  /** Newest event time handed over that is believed, ms UTC; null before the first, and where records carry none. */
  readonly newestTime: number | null
  /** What is wrong now; left out by a feed that has nothing to say about that. */
  readonly troubles?: readonly FeedTrouble[]
}

/** The topic that a feed fills, as far as a feed needs to know it. */
export interface FeedTarget {
  /** How many the topic has. */
  readonly partitions: number
  /** The partition of a key, as other producers of the log spread keys. What has no key goes to partition 0, and so keeps its order. */
  partitionOf(key: Uint8Array | null): number
}

/** An open feed. Pull is the backpressure: a reader that is not asked holds a bounded number of records and no more. */
export interface FeedReader {
  /**
   * The next records, or null at the end of the feed. One read at a time; a reader whose read has failed is not asked again. Throws `RetryableError`, after
   * which the feed is opened anew at the last stored position, and anything else to end the ingest.
   */
  read(options: FeedReadOptions): Promise<FeedBatch | null>
  /** How far it is now. */
  progress(): FeedProgress
  /** Lets go of the source; what was not handed over is read again after the next open. */
  close(): Promise<void>
}

/**
 * Brings things into a topic, resumable by its own position. The records are a function of the position and of what is read from there, so that a feed
 * that is opened again hands over the very records that it would have handed over without.
 */
export interface Feed {
  /** For messages, and in whose name the position is kept unless another name is told: `weather`, `tape frames.jsonl.gz`. */
  readonly name: string
  /** True for records that are invented, which only go into a topic with `simulated` in its name. */
  readonly isSimulated?: boolean
  /** Opens behind the records that led to this position; null for a first start. Throws `ConfigurationError` on a position that is not its own. */
  open(position: string | null, target: FeedTarget): Promise<FeedReader>
}
