import type { FrameBatch, FrameFeed, FrameProgress, FrameReader, FrameReadOptions } from '../market/frameFeed.ts'
import { Followed, type SymbolsFollower } from './followSymbols.ts'
import { symbolsOfTrades } from './wantedStreams.ts'

/** Of the feed, whatever it takes: its name, what its frames are, and whether its market is invented. */
export interface FollowingFeedOptions extends Pick<FrameFeed, 'name' | 'peek' | 'isSimulated'> {
  readonly follower: SymbolsFollower
  /** The feed of a list of symbols. Each goes on at a position of the others. */
  readonly feedOf: (symbols: readonly string[]) => Promise<FrameFeed>
}

/**
 * A feed of the symbols that a file wants, as it stands: when another list is wanted, the feed takes that, or is opened anew for it behind the frames that were handed over, so that nothing is
 * missed of the symbols that stay. One that comes back goes on where it was left.
 */
export function followingFeed({ name, peek, isSimulated, follower, feedOf }: FollowingFeedOptions): FrameFeed {
  return {
    name,
    ...(peek === undefined ? {} : { peek }),
    isSimulated: isSimulated ?? false,
    open: async (position, target) => {
      const followed = new Followed(follower, symbolsOfTrades)
      const open = async (at: string | null) => (await feedOf(followed.taken)).open(at, target)
      return new FollowingReader(followed, open, await open(position), position)
    },
  }
}

class FollowingReader implements FrameReader {
  readonly #followed: Followed
  readonly #open: (position: string | null) => Promise<FrameReader>
  #reader: FrameReader
  #position: string | null

  constructor(
    followed: Followed,
    open: (position: string | null) => Promise<FrameReader>,
    reader: FrameReader,
    position: string | null,
  ) {
    this.#followed = followed
    this.#open = open
    this.#reader = reader
    this.#position = position
  }

  get provesQuietOf(): readonly string[] | undefined {
    return this.#reader.provesQuietOf
  }

  async read(options: FrameReadOptions): Promise<FrameBatch | null> {
    if (await this.#followed.look()) {
      if (this.#reader.take !== undefined) this.#reader.take(this.#followed.taken)
      else {
        await this.#reader.close()
        this.#reader = await this.#open(this.#position)
      }
    }
    const batch = await this.#reader.read(options)
    if (batch !== null) this.#position = batch.position
    return batch
  }

  progress(): FrameProgress {
    return this.#reader.progress()
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}
