import { ConfigurationError } from '../../runtime/errors.ts'
import type { FeedTarget } from '../../runtime/log/feed.ts'

/** Which part of the symbols an ingest takes: those whose partitions of the topic are its own, so that no partition has two that tell it the time. */
export interface Shard {
  /** From 1. */
  readonly number: number
  readonly of: number
}

/** Those of a list that a shard takes; all where there is none. Throws `ConfigurationError` for a shard of no topic. */
export function partOfShard(
  all: readonly string[],
  shard: Shard | undefined,
  target: FeedTarget | undefined,
  symbolOf: (one: string) => string,
): readonly string[] {
  if (shard === undefined) return all
  if (target === undefined) throw new ConfigurationError('a shard needs a topic: its partitions are shared out.')
  return all.filter((one) => target.partitionOf(Buffer.from(symbolOf(one))) % shard.of === shard.number - 1)
}

/** The error for a shard whose partitions have no symbol. @param feed for the message */
export function emptyShard(
  feed: string,
  { number, of }: Shard,
  { length }: readonly string[],
  target: FeedTarget | undefined,
): ConfigurationError {
  return new ConfigurationError(
    `${feed}: shard ${number} of ${of} has no symbol: ${length} symbols are in ${target?.partitions ?? 0} partitions. Run fewer shards.`,
  )
}
