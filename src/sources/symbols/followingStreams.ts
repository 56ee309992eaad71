import type { Feed, FeedReader } from '../../runtime/log/feed.ts'
import { Followed, type SymbolsFollower } from './followSymbols.ts'

/** A reader whose streams can be changed while it is open. */
interface ChangingReader extends FeedReader {
  take(streams: readonly string[]): void
}

interface ChangingFeed extends Feed {
  open(...all: Parameters<Feed['open']>): Promise<ChangingReader>
}

export interface FollowingStreamsOptions {
  readonly follower: SymbolsFollower
  /** Which of the streams that are wanted are this feed's. */
  readonly choose: (streams: readonly string[]) => readonly string[]
  readonly feedOf: (streams: readonly string[]) => ChangingFeed
}

/** A feed of those streams that a file of symbols wants, as it stands. */
export function followingStreams({ follower, choose, feedOf }: FollowingStreamsOptions): Feed {
  return {
    ...feedOf([]),
    open: async (position, target) => {
      const followed = new Followed(follower, choose)
      const reader = await feedOf(followed.taken).open(position, target)
      return {
        read: async (options) => {
          if (await followed.look()) reader.take(followed.taken)
          return reader.read(options)
        },
        progress: () => reader.progress(),
        close: () => reader.close(),
      }
    },
  }
}
