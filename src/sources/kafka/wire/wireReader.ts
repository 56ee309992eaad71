import type { FetchOptions, LeaderEpochEnd, LogBounds, LogReader, RecordBatch } from '../../../runtime/log/log.ts'
import { decompress } from '../../recordBatch/decompress.ts'
import { RecordBatchWalker } from '../../recordBatch/walker.ts'
import type { Cluster } from './cluster.ts'
import { PartitionFeed } from './partitionFeed.ts'
import type { RecordSet } from './recordSet.ts'

/** How much longer than it was told to a fetch waits for a broker that should have answered by then. */
const PATIENCE_MS = 2_000

/**
 * Reads one partition of a Kafka topic in place: what it hands over are the bytes of the fetch response.
 *
 * Only committed transactions. Holds the response that is handed over and up to two more, each about `maxBytes` or one batch, and one batch decompressed.
 */
export class WireReader implements LogReader {
  readonly partition: number
  readonly #cluster: Cluster
  readonly #feed: PartitionFeed
  readonly #walker: RecordBatchWalker
  readonly #onClose: () => void
  #isClosed = false

  constructor(cluster: Cluster, partition: number, onClose: () => void) {
    this.partition = partition
    this.#cluster = cluster
    this.#feed = new PartitionFeed(cluster, partition)
    this.#walker = new RecordBatchWalker(cluster.topic, partition, {
      decompress,
      maxBatchBytes: cluster.settings.maxBatchBytes,
    })
    this.#onClose = onClose
  }

  seek(offset: number): void {
    this.#feed.seek(offset)
  }

  async fetch({ maxBytes, maxWaitMs, signal }: FetchOptions): Promise<RecordBatch | null> {
    this.#walker.release()
    const feed = this.#feed
    const { clock } = this.#cluster
    const until = clock.now() + maxWaitMs
    // An answer to what was asked before this fetch is no answer to it: something may have come since.
    const sinceNow = feed.asked + 1
    for (;;) {
      if (this.#isClosed || signal?.aborted === true) return null
      const set = feed.ready()
      if (set !== null) return this.#lend(set, maxBytes)
      const leftMs = until - clock.now()
      if (leftMs <= 0 && feed.isEmpty(sinceNow)) return null
      if (leftMs <= -PATIENCE_MS) return null
      feed.ask({ maxBytes, maxWaitMs: Math.max(0, leftMs) })
      await this.#change(leftMs + PATIENCE_MS, signal)
    }
  }

  bounds(): Promise<LogBounds> {
    return this.#cluster.bounds(this.partition)
  }

  offsetAt(time: number): Promise<number> {
    return this.#cluster.offsetAt(this.partition, time)
  }

  endOfEpoch(leaderEpoch: number): Promise<LeaderEpochEnd | null> {
    return this.#cluster.endOfEpoch(this.partition, leaderEpoch)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#feed.close()
    this.#onClose()
  }

  #lend(set: RecordSet, maxBytes: number): RecordBatch {
    const { bytes, startOffset } = set.take(maxBytes)
    this.#feed.readAhead(maxBytes)
    return this.#walker.load(bytes, { startOffset, aborted: set.aborted })
  }

  async #change(mostMs: number, signal?: AbortSignal): Promise<void> {
    const ended = new AbortController()
    // With a reason of its own, since making up the default one costs more than the whole wait.
    const end = () => ended.abort('over')
    signal?.addEventListener('abort', end, { once: true })
    try {
      await Promise.race([this.#feed.change(), this.#cluster.clock.sleep(mostMs, ended.signal)])
    } finally {
      signal?.removeEventListener('abort', end)
      end()
    }
  }
}
