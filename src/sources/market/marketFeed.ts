import type { Feed, FeedBatch, FeedProgress, FeedReader, FeedReadOptions } from '../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import { defaultMaxFrameBytes } from './cutFrame.ts'
import type { FrameFeed, FrameReader } from './frameFeed.ts'
import { FrameRouter, newRouteCounts, type RouteCounts } from './frameRouter.ts'
import { defaultHeartbeat, type HeartbeatOptions } from './heartbeats.ts'
import { formatPosition, parsePosition } from './marketPosition.ts'
import { peekFrame } from './peekFrame.ts'

export interface MarketFeedOptions {
  /** Unit of the trade time in the frames. Default ms. */
  readonly timeUnit?: 'ms' | 'us'
  /** Trades of other symbols are left out. Default: all are taken. */
  readonly symbols?: readonly string[] | null
  readonly heartbeat?: Partial<HeartbeatOptions>
  /** A larger frame is written cut and marked. Default 8 MiB. */
  readonly maxFrameBytes?: number
}

/**
 * The trades of a frame feed as records of a topic: key the symbol, timestamp the trade time, with heartbeats for partitions that fall quiet.
 *
 * Its position holds that of the frames and what decides the records from there, so that a feed that goes on makes the records of one that never
 * stopped. Counts what became of the frames since the feed was made, over all that open it.
 */
export function marketFeed(frames: FrameFeed, options: MarketFeedOptions = {}): Feed {
  const { timeUnit = 'ms', symbols = null, heartbeat, maxFrameBytes = defaultMaxFrameBytes } = options
  const counts = newRouteCounts()
  return {
    name: frames.name,
    isSimulated: frames.isSimulated ?? false,
    open: async (position, target) => {
      const resumed = position === null ? null : parsePosition(position, frames.name, target.partitions)
      const reader = await frames.open(resumed?.feed ?? null, target)
      const router = new FrameRouter(
        {
          target,
          timeUnit,
          symbols: symbols === null ? null : new Set(symbols),
          heartbeat: { ...defaultHeartbeat, ...heartbeat },
          maxFrameBytes,
          peek: frames.peek ?? peekFrame,
          provesQuiet: reader.provesQuietOf !== undefined,
        },
        counts,
        resumed?.router,
      )
      return new MarketReader(reader, router)
    },
  }
}

class MarketReader implements FeedReader {
  readonly #frames: FrameReader
  readonly #router: FrameRouter

  constructor(frames: FrameReader, router: FrameRouter) {
    this.#frames = frames
    this.#router = router
  }

  async read({ maxRecords: maxFrames, ...options }: FeedReadOptions): Promise<FeedBatch | null> {
    const read = await this.#frames.read({ ...options, maxFrames })
    if (read === null) return null
    const router = this.#router
    const records: OutgoingRecord[] = []
    for (const frame of read.frames) router.route(frame, records)
    if (read.quietThrough !== null) router.quietThrough(read.quietThrough, records)
    if (read.quiet !== undefined) router.prove(read.quiet, this.#frames.provesQuietOf ?? [], records)
    return { records, position: formatPosition({ feed: read.position, router: router.snapshot() }) }
  }

  progress(): FeedProgress {
    const progress = this.#frames.progress()
    const routed: RouteCounts = this.#router.counts
    return { ...progress, counts: { ...progress.counts, ...routed }, newestTime: this.#router.newestTradeTime }
  }

  close(): Promise<void> {
    return this.#frames.close()
  }
}
