import type { TwoWayCodec } from '../../codecs/twoWayCodec.ts'
import { definedFeeds } from '../../runtime/definedHere.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { Feed } from '../../runtime/log/feed.ts'
import type { Topic, ValueOf } from '../../runtime/log/topic.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import type { FeedRecord } from './feedRecord.ts'
import { GeneratorReader } from './generatorReader.ts'
import { RecordMaker } from './recordMaker.ts'

/**
 * What `read` of a feed yields: some values, or records made by itself, and the position behind them. The log takes all of it or nothing, so a few thousand at a
 * time is plenty. A position without values is not stored; it goes along with the next value.
 */
export type FeedPart<T> = FeedValues<T> | FeedRecords

/** Values of the topic. */
export interface FeedValues<T> {
  /** In their order. */
  readonly values: readonly T[]
  /** Where `read` is to go on behind them, in words of the feed's own: at most 65,536 characters. */
  readonly position: string
}

/** Records that the feed has made itself. */
export interface FeedRecords {
  /** In their order. */
  readonly records: readonly FeedRecord[]
  /** Where `read` is to go on behind them, in words of the feed's own: at most 65,536 characters. */
  readonly position: string
}

/** The codecs of a topic that a feed can write to. */
export type WritableTopic = Topic<TwoWayCodec<unknown>, TwoWayCodec<unknown> | undefined>

/** The key of a value: what the topic's key codec writes, or text or bytes where it has none; null for none. */
export type FeedKey<T extends WritableTopic> = T['key'] extends TwoWayCodec<infer K> ? K : string | Uint8Array | null

/** What `defineFeed` makes a feed of. */
export interface FeedDefinition<T extends WritableTopic> {
  /** For messages, and in whose name the position is kept unless another producer is told. 1 to 100 letters, digits, `.`, `_` and `-`. */
  readonly name: string
  /** Where the values go, and how they are written. */
  readonly topic: T
  /** True for values that are invented, which only go into a topic with `simulated` in its name. */
  readonly isSimulated?: boolean
  /** The key of each value, which decides its partition. Without one all records go to partition 0, in their order. */
  readonly key?: (value: ValueOf<T['value']>) => FeedKey<T>
  /** The event time of each value, whole ms UTC from 1970 to 2100. Without it records carry none (-1), and the pipeline takes the time from the value. */
  readonly time?: (value: ValueOf<T['value']>) => number
  /**
   * Yields values behind the position that was stored last (null for a first start), in an order that depends on nothing but the position and the source. Returns at the end of what there is; a live
   * feed never does. It is asked for more only when the log has taken the last but one batch, and ends, `finally` blocks included, when the ingest
   * stops: the signal fires then, so hand it to what it waits for. A `RetryableError` has it started again at the stored position, with waits that double up to
   * 5 s; any other error ends the ingest.
   */
  read(position: string | null, signal: AbortSignal): AsyncIterable<FeedPart<ValueOf<T['value']>>>
}

/** A feed of one's own, which `npx millrace ingest --feed FILE` and `runIngest` bring into its topic, and `testFeed` tests. */
export interface DefinedFeed<T extends WritableTopic = WritableTopic> extends Feed {
  readonly topic: T
}

const rules: OptionRules<FeedDefinition<WritableTopic>> = {
  name: needed.text,
  topic: needed.such(
    'a topic that topic(…) has made',
    (value) => typeof value === 'object' && value !== null && 'name' in value && 'value' in value,
  ),
  isSimulated: optional.flag,
  key: optional.callback,
  time: optional.callback,
  read: needed.anyFunction,
}

/**
 * Makes a feed of an async generator: a source of one's own, brought into a topic exactly once, because the position that it yields is stored together with
 * the records.
 *
 * Memory: at most two batches of what it yields. Yields that are at hand are put together, so single values cost little. Values that the codec refuses, and times that
 * are none, end the ingest with `ConfigurationError`, which says which value it was; what was yielded before is in the log then.
 *
 * @throws ConfigurationError on a name that is none
 */
export function defineFeed<T extends WritableTopic>(definition: FeedDefinition<T>): DefinedFeed<T> {
  checkOptions('defineFeed', definition, rules)
  const { name, topic } = definition
  if (!/^[\w.-]{1,100}$/.test(name)) {
    throw new ConfigurationError(
      `defineFeed: a name has 1 to 100 letters, digits, dots, dashes and underscores, got ${JSON.stringify(name.slice(0, 200))}`,
    )
  }
  const feed: DefinedFeed<T> = {
    name,
    topic,
    isSimulated: definition.isSimulated ?? false,
    open: async (position, target) => {
      // The function types of a definition vary with its topic, which is one and the same from here on.
      const maker = new RecordMaker(definition as unknown as FeedDefinition<WritableTopic>, target)
      return new GeneratorReader({
        name,
        position,
        recordsOf: (part, before) => maker.recordsOf(part, before),
        read: (from, signal) => definition.read(from, signal),
      })
    },
  }
  definedFeeds.note(feed)
  return feed
}
