/** How much one read may hand over, and how long it may wait. */
export interface FeedReadOptions {
  readonly maxFrames: number
  /** Soft limit: one frame is handed over even when it is larger. */
  readonly maxBytes: number
  /** Longest wait for more frames once there is one. A feed that never waits, such as a tape, takes no notice. */
  readonly lingerMs: number
  /** When it fires the read resolves with what is at hand, which may be nothing. */
  readonly signal: AbortSignal
}

/** Consecutive frames of a feed, exactly as they were received, and where to go on after them. */
export interface FrameBatch {
  /** May be empty when a live feed only has to say that time has passed. */
  readonly frames: readonly Buffer[]
  /** Resuming here reads neither one of these frames again nor leaves one out. Opaque to everybody but the feed. */
  readonly position: string
  /**
   * ms UTC of the exchange up to which the feed knows that it has handed over everything, although nothing came; null where only the frames
   * tell the time. This is how processing time enters: as data, once, before the log.
   */
  readonly quietThrough: number | null
}

export interface FeedProgress {
  /** Bytes of the source that are done, and how many there are; null where there is no end in sight. */
  readonly bytesDone: number | null
  readonly bytesTotal: number | null
  /** What the feed waits for ("reconnecting to wss://…, attempt 3"), or null. */
  readonly waitingFor: string | null
  /** What the feed has to say about itself, by name, such as reconnects or trades missing for good. */
  readonly counts: Readonly<Record<string, number>>
}

/**
 * An open feed. Pull is the backpressure: a reader that is not asked holds a bounded number of frames and no more.
 */
export interface FeedReader {
  /** The next frames, or null at the end of the feed. One read at a time. Throws `RetryableError` and `ConfigurationError`. */
  read(options: FeedReadOptions): Promise<FrameBatch | null>
  progress(): FeedProgress
  close(): Promise<void>
}

/** Where trades come from: a tape, a simulated market or an exchange. */
export interface MarketFeed {
  /** For messages: `tape frames.jsonl.gz`, `binance spot`. */
  readonly name: string
  /** Opens behind the frames that led to this position; null for a first start. Throws `ConfigurationError` on a position that is not its own. */
  open(position: string | null): Promise<FeedReader>
}
