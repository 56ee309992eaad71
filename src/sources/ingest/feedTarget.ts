import type { FeedTarget } from '../../runtime/log/feed.ts'
import { partitionOf } from './murmur2.ts'

/** A topic of so many partitions, where each key lies in the partition that Kafka's default partitioner picks for it. */
export function feedTarget(partitions: number): FeedTarget {
  return { partitions, partitionOf: (key) => (key === null ? 0 : partitionOf(key, partitions)) }
}
