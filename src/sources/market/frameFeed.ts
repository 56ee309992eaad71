import type { FeedProgress, FeedReadOptions, FeedTarget } from '../../runtime/log/feed.ts'
import type { FramePeek } from './peekFrame.ts'

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
  /**
   * Of a feed that proves quiet by symbol: up to which time of the exchange, ms UTC, everything of each symbol has been handed over; infinite for one that is not
   * traded, and left out for one of which it is not known.
   */
  readonly quiet?: ReadonlyMap<string, number>
}

/** How far a frame feed is; what time it is, only the frames tell. */
export type FrameProgress = Omit<FeedProgress, 'newestTime'>

/** An open frame feed. Pull is the backpressure: a reader that is not asked holds a bounded number of frames and no more. */
export interface FrameReader {
  /** The symbols of a feed that proves quiet by symbol: partitions are told the time by that alone. Left out where the trades of all tell it. */
  readonly provesQuietOf?: readonly string[] | undefined
  /** The next frames, or null at the end of the feed. One read at a time. Throws `RetryableError` and `ConfigurationError`. */
  read(options: FrameReadOptions): Promise<FrameBatch | null>
  progress(): FrameProgress
  /** Takes these symbols from here on, those that stay without a break. Left out by a feed that is opened anew for others. */
  take?(symbols: readonly string[]): void
  close(): Promise<void>
}

/** Where frames of trades come from: a tape, a simulated market or an exchange. `marketFeed` makes a feed of it. */
export interface FrameFeed {
  /** For messages: `tape frames.jsonl.gz`, `binance spot`. */
  readonly name: string
  /** What its frames are, where they are not Binance's. Never throws. */
  readonly peek?: (frame: Buffer, into: FramePeek) => void
  /** True for frames of a market that is invented. */
  readonly isSimulated?: boolean
  /**
   * Opens behind the frames that led to this position; null for a first start. Throws `ConfigurationError` on a position that is not its own.
   * @param target where the frames go; left out where they go into no topic
   */
  open(position: string | null, target?: FeedTarget): Promise<FrameReader>
}
