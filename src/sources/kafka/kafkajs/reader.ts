import type { Clock } from '../../../runtime/clock.ts'
import { type MillraceError, OffsetOutOfRangeError, RetryableError } from '../../../runtime/errors.ts'
import type {
  FetchOptions,
  LeaderEpochEnd,
  LeaderEpochStart,
  LogBounds,
  LogReader,
  RecordBatch,
} from '../../../runtime/log/log.ts'
import { decompress } from '../../recordBatch/decompress.ts'
import { RecordBatchWalker } from '../../recordBatch/walker.ts'
import { lostEnd } from '../lostEnd.ts'
import { protocolErrorName } from '../protocol/errorNames.ts'
import { RecordSet } from '../wire/recordSet.ts'
import { type KafkajsClient, leaderOf } from './client.ts'
import { fetchBytes } from './fetch.ts'

export interface KafkajsReaderOptions {
  readonly topic: string
  readonly partition: number
  /** Its own, because a broker answers the requests of a connection in turn, and a fetch that waits would hold up those of others. */
  readonly client: KafkajsClient
  readonly bounds: () => Promise<LogBounds>
  readonly offsetAt: (time: number) => Promise<number>
  readonly endOfEpoch: (leaderEpoch: number) => Promise<LeaderEpochEnd | null>
  /** Throws when the topic's name has come to mean another topic. */
  readonly requireSameTopic: () => Promise<void>
  readonly clock: Clock
  /** The most that one batch may hold once it is decompressed. */
  readonly maxBatchBytes: number
  readonly onClose: () => void
}

/** A request under way, and from where on. */
interface Query {
  readonly offset: number
  readonly records: Promise<RecordSet | null>
}

/** The longest wait of one request, after which a reader that has caught up asks again. */
const LONGEST_WAIT_MS = 1_000
/** How long a broker may be late before a fetch ends with nothing; its answer then belongs to the next fetch. */
const PATIENCE_MS = 2_000
const OFFSET_OUT_OF_RANGE = 1

/** Reads one partition in place. Holds the bytes of one fetch and of one request ahead, each of about `maxBytes`, and one batch decompressed. */
export class KafkajsReader implements LogReader {
  readonly partition: number
  readonly #options: KafkajsReaderOptions
  readonly #closed = Promise.withResolvers<'ended'>()
  readonly #walker: RecordBatchWalker
  #offset = 0
  /** Of the last batch that was handed over, or -1. */
  #leaderEpoch = -1
  #query: Query | null = null
  #isClosed = false

  constructor(options: KafkajsReaderOptions) {
    this.partition = options.partition
    this.#options = options
    const { topic, partition, maxBatchBytes } = options
    this.#walker = new RecordBatchWalker(topic, partition, { decompress, maxBatchBytes })
  }

  seek(offset: number): void {
    this.#offset = offset
    this.#leaderEpoch = -1
    // What is under way belongs to the place before; its answer is not looked at.
    this.#query = null
  }

  async fetch({ maxBytes, maxWaitMs, signal }: FetchOptions): Promise<RecordBatch | null> {
    this.#walker.release()
    const { clock } = this.#options
    const until = clock.now() + maxWaitMs
    for (;;) {
      if (this.#isClosed || signal?.aborted === true) return null
      const earlier = this.#query
      const waitMs = Math.min(LONGEST_WAIT_MS, Math.max(0, until - clock.now()))
      const query = earlier ?? this.#start(maxBytes, waitMs)
      const found = await this.#outcome(query, until - clock.now() + PATIENCE_MS, signal)
      if (found === 'ended') return null
      if (this.#query === query) this.#query = null
      // The place was changed meanwhile: what came is of the place before.
      if (query.offset !== this.#offset) continue
      if (found !== null) {
        const startOffset = this.#offset
        const { bytes } = found.take(found.byteLength)
        const batch = this.#walker.load(bytes, { startOffset, aborted: found.aborted })
        await this.#requireSameHistory(startOffset, batch.leaderEpochs)
        this.#offset = found.nextOffset
        if (found.byteLength * 2 > maxBytes && found.byteLength <= 4 * maxBytes) this.#start(maxBytes, 0)
        return batch
      }
      // Nothing, said before this fetch was asked for, is no answer: something may have come since.
      if (earlier === null && clock.now() >= until) return null
    }
  }

  bounds(): Promise<LogBounds> {
    return this.#options.bounds()
  }

  offsetAt(time: number): Promise<number> {
    return this.#options.offsetAt(time)
  }

  endOfEpoch(leaderEpoch: number): Promise<LeaderEpochEnd | null> {
    return this.#options.endOfEpoch(leaderEpoch)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#query = null
    this.#closed.resolve('ended')
    this.#options.client.close()
    this.#options.onClose()
  }

  #start(maxBytes: number, maxWaitMs: number): Query {
    const query = { offset: this.#offset, records: this.#request(this.#offset, maxBytes, maxWaitMs) }
    // A failure is thrown by the fetch that asks for these records; until then, and without one, nobody handles it.
    query.records.catch(() => {})
    this.#query = query
    return query
  }

  async #outcome(query: Query, mostMs: number, signal: AbortSignal | undefined): Promise<RecordSet | null | 'ended'> {
    const aborted = Promise.withResolvers<'ended'>()
    const abort = () => aborted.resolve('ended')
    const patience = new AbortController()
    const tooLate = this.#options.clock.sleep(mostMs, patience.signal).then(() => 'ended' as const)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await Promise.race([query.records, aborted.promise, this.#closed.promise, tooLate])
    } catch (error) {
      if (this.#query === query) this.#query = null
      if (this.#isClosed) return 'ended'
      throw error
    } finally {
      patience.abort()
      signal?.removeEventListener('abort', abort)
    }
  }

  async #request(offset: number, maxBytes: number, maxWaitMs: number): Promise<RecordSet | null> {
    const { topic, client, requireSameTopic } = this.#options
    const place = { topic, partition: this.partition }
    await requireSameTopic().catch((error: unknown) => {
      if (!(error instanceof RetryableError)) throw error
      throw new RetryableError(error.message, { ...place, offset, cause: error.cause })
    })
    const doing = `fetch ${topic}/${this.partition} from offset ${offset}`
    const fetched = await client.use(doing, { ...place, offset }, async (cluster) => {
      const leader = await leaderOf(cluster, topic, this.partition)
      const answer = await fetchBytes(leader, { ...place, offset, maxBytes, maxWaitMs })
      if (answer.errorCode === 0 || answer.errorCode === OFFSET_OUT_OF_RANGE) return answer
      throw new RetryableError(
        `Kafka: could not ${doing}: ${protocolErrorName(answer.errorCode)}. It is tried again.`,
        { ...place, offset },
      )
    })
    if (fetched.errorCode === OFFSET_OUT_OF_RANGE) throw await this.#outOfRange(offset)
    return fetched.records.length === 0 ? null : new RecordSet(fetched.records, offset, fetched.aborted, place)
  }

  /** Behind a leader that had not all records the log may have lost what was handed over, and have grown past it. Its records tell that there is another leader. */
  async #requireSameHistory(offset: number, starts: readonly LeaderEpochStart[]): Promise<void> {
    const before = this.#leaderEpoch
    const first = starts[0]?.leaderEpoch ?? before
    if (before >= 0 && first > before) {
      const found = await this.#options.endOfEpoch(before)
      if (found !== null && (found.end < offset || found.leaderEpoch < before)) {
        const { topic } = this.#options
        throw lostEnd({ topic, partition: this.partition, offset }, found.end)
      }
    }
    this.#leaderEpoch = starts.at(-1)?.leaderEpoch ?? before
  }

  async #outOfRange(offset: number): Promise<MillraceError> {
    const { topic, bounds } = this.#options
    const { earliest, next } = await bounds()
    const place = { topic, partition: this.partition, offset }
    if (offset >= earliest && offset <= next) {
      return new RetryableError(`Kafka: ${topic}/${this.partition} did not know offset ${offset} for a moment.`, place)
    }
    return new OffsetOutOfRangeError(
      `${topic}/${this.partition} holds offsets ${earliest} to ${next} (the next one), not ${offset}. ` +
        (offset > next
          ? 'Offsets never go back, so the topic was deleted and made anew, or it lost records: start under a new pipeline name to read it from its beginning.'
          : `Records below ${earliest} are gone: seek to ${earliest} to lose them knowingly.`),
      place,
    )
  }
}
