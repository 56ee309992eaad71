import type { FeedProgress, FeedReadOptions } from '../../runtime/feed.ts'

/** How much one read may hand over, in frames, and how long it may wait. */
export type FrameReadOptions = Omit<FeedReadOptions, 'maxRecords'> & { readonly maxFrames: number }

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

/** How far a frame feed is; what time it is, only the frames tell. */
export type FrameProgress = Omit<FeedProgress, 'newestTime'>

/** An open frame feed. Pull is the backpressure: a reader that is not asked holds a bounded number of frames and no more. */
export interface FrameReader {
  /** The next frames, or null at the end of the feed. One read at a time. Throws `RetryableError` and `ConfigurationError`. */
  read(options: FrameReadOptions): Promise<FrameBatch | null>
  progress(): FrameProgress
  close(): Promise<void>
}

/** Where frames of trades come from: a tape, a simulated market or an exchange. `marketFeed` makes a feed of it. */
export interface FrameFeed {
  /** For messages: `tape frames.jsonl.gz`, `binance spot`. */
  readonly name: string
  /** True for frames of a market that is invented. */
  readonly isSimulated?: boolean
  /** Opens behind the frames that led to this position; null for a first start. Throws `ConfigurationError` on a position that is not its own. */
  open(position: string | null): Promise<FrameReader>
}
