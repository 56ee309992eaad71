import { type Clock, systemClock } from '../runtime/clock.ts'
import { ConfigurationError, OffsetOutOfRangeError, TaskFencedError } from '../runtime/errors.ts'
import type {
  AssignmentListener,
  FetchOptions,
  LogBounds,
  LogMembership,
  LogReader,
  LogSource,
  LogWriter,
  OutgoingRecord,
  OutgoingTopic,
  RecordBatch,
} from '../runtime/log/log.ts'
import type { RecordHeader } from '../runtime/log/record.ts'
import { OneAppend } from '../runtime/oneAppend.ts'
import { Arrivals } from '../sources/arrivals.ts'
import { outgoingPartition } from '../sources/outgoingPartition.ts'
import { encodeEmptyBatch, encodeRecordBatch } from '../sources/recordBatch/encode.ts'
import { firstRecordAt } from '../sources/recordBatch/firstRecordAt.ts'
import { groupIntoBatches } from '../sources/recordBatch/group.ts'
import { RecordBatchWalker } from '../sources/recordBatch/walker.ts'

/** The topic that a `MemoryLog` pretends to be, and the sizes of its batches and fetches. */
export interface MemoryLogOptions {
  /** Default `memory`. */
  readonly topic?: string
  /** How many; default 1. */
  readonly partitions?: number
  /** The most records of a stored batch. Default 1000. */
  readonly batchRecords?: number
  /** Asked at each fetch for the most records that it hands over: a seeded random gives any poll sizes. Default: no limit. */
  readonly fetchRecords?: () => number
  /** Only a reader that has caught up uses it. Default: the system's. */
  readonly clock?: Clock
}

/** A record for `MemoryLog.add`: text is taken as UTF-8, what is left out as null, and as partition 0 without a timestamp; `timestamp` is ms UTC. */
export interface MemoryRecord {
  readonly partition?: number
  readonly timestamp?: number
  readonly key?: string | Uint8Array | null
  readonly value?: string | Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

interface StoredBatch {
  readonly baseOffset: number
  readonly nextOffset: number
  readonly bytes: Buffer
}

interface Partition {
  earliest: number
  next: number
  batches: StoredBatch[]
}

interface Producer {
  generation: number
  position: string | null
}

const MAX_BATCH_BYTES = 1 << 20
const OVERWRITTEN = 0xff

/**
 * A log in memory, with the semantics and the very bytes of a durable one, for tests of pipelines and for simulations.
 *
 * Keeps everything until it is trimmed, over `close` and over any number of readers and writers, so one log outlives the crashes of
 * a test. Deterministic: it resolves by microtasks, and by the clock where a reader waits. A batch is overwritten at the
 * reader's next fetch, so that code which keeps a view too long fails here and not in production.
 */
export class MemoryLog implements LogSource {
  readonly topic: string
  readonly #partitions: Partition[]
  readonly #producers = new Map<string, Producer>()
  readonly #arrivals: Arrivals
  readonly #options: MemoryLogOptions

  constructor(options: MemoryLogOptions = {}) {
    const { topic = 'memory', partitions = 1, clock = systemClock } = options
    if (!(Number.isInteger(partitions) && partitions >= 1)) {
      throw new ConfigurationError(`MemoryLog '${topic}': partitions must be an integer from 1 up, got ${partitions}.`)
    }
    this.topic = topic
    this.#options = options
    this.#arrivals = new Arrivals(clock)
    this.#partitions = Array.from({ length: partitions }, emptyPartition)
  }

  async partitions(): Promise<readonly number[]> {
    return [...this.#partitions.keys()]
  }

  /** Assigns all partitions at once. */
  async join(listener: AssignmentListener): Promise<LogMembership> {
    listener.onAssign(await this.partitions())
    return { reportProgress: () => undefined, leave: async () => undefined }
  }

  reader(partition: number): LogReader {
    const { clock = systemClock, fetchRecords } = this.#options
    return new MemoryLogReader(this.topic, partition, this.#partition(partition), this.#arrivals, clock, fetchRecords)
  }

  /** A writer of its own: it is fenced as soon as another one claims its producer. */
  writer(): LogWriter {
    let held: { name: string; producer: Producer; generation: number } | null = null
    const appends = new OneAppend(this.topic)
    return {
      claim: async (name) => {
        const producer = this.#producers.get(name) ?? { generation: 0, position: null }
        this.#producers.set(name, producer)
        producer.generation++
        held = { name, producer, generation: producer.generation }
        return { position: producer.position }
      },
      append: (records, position) =>
        appends.run(async () => {
          if (held === null)
            throw new ConfigurationError(`A writer of ${this.topic} appends before it has claimed a producer.`)
          const { name, producer, generation } = held
          if (producer.generation !== generation) {
            throw new TaskFencedError(
              `Producer ${name} of ${this.topic} was claimed by generation ${producer.generation}; this writer is generation ${generation}.`,
              { topic: this.topic },
            )
          }
          this.#append(records)
          producer.position = position
        }),
      close: async () => undefined,
    }
  }

  /** The topic as outlets send to it: `openTopic: async () => log.outgoing()`. */
  outgoing(): OutgoingTopic {
    const numberOf = () => this.#partitions.length
    return {
      writer: this.writer(),
      get partitions() {
        return numberOf()
      },
      partitionOf: (key, fallbackPartition) => outgoingPartition(key, fallbackPartition, this.#partitions.length),
    }
  }

  /** Appends at once, without a producer; gives the offset of each record. */
  add(...records: readonly MemoryRecord[]): readonly number[] {
    const outgoing = records.map(({ partition = 0, timestamp = -1, key = null, value = null, headers = [] }) => ({
      partition,
      timestamp,
      key: typeof key === 'string' ? Buffer.from(key) : key,
      value: typeof value === 'string' ? Buffer.from(value) : value,
      headers,
    }))
    const upcoming = new Map<number, number>()
    const offsets = outgoing.map(({ partition }) => {
      const offset = upcoming.get(partition) ?? this.#partition(partition).next
      upcoming.set(partition, offset + 1)
      return offset
    })
    this.#append(outgoing)
    return offsets
  }

  /** Leaves offsets without a record, as compaction and the markers of transactions do; `count` is how many, from 1 up. */
  skip(partition: number, count = 1): void {
    if (!(Number.isInteger(count) && count >= 1)) {
      throw new ConfigurationError(
        `MemoryLog '${this.topic}': only whole numbers of offsets from 1 up are skipped, got ${count}.`,
      )
    }
    const stored = this.#partition(partition)
    const baseOffset = stored.next
    stored.next += count
    stored.batches.push({ baseOffset, nextOffset: stored.next, bytes: encodeEmptyBatch(baseOffset, count) })
    this.#arrivals.wake(partition)
  }

  /**
   * More partitions from now on, empty ones, as a topic of Kafka may get them. Who has joined before is not given them.
   * @param partitions number of all partitions, the old ones included
   */
  growTo(partitions: number): void {
    const { length } = this.#partitions
    if (!(Number.isInteger(partitions) && partitions >= length)) {
      throw new ConfigurationError(
        `MemoryLog '${this.topic}': partitions can only grow, from ${length} up, got ${partitions}.`,
      )
    }
    while (this.#partitions.length < partitions) this.#partitions.push(emptyPartition())
  }

  /** Lets go of what lies below `beforeOffset`, as retention does. */
  trim(partition: number, beforeOffset: number): void {
    const kept = this.#partition(partition)
    kept.earliest = Math.min(Math.max(kept.earliest, beforeOffset), kept.next)
    kept.batches = kept.batches.filter((batch) => batch.nextOffset > kept.earliest)
  }

  /** Wakes the readers that wait. The records stay, and the log can be read and written on. */
  async close(): Promise<void> {
    this.#arrivals.wakeAll()
  }

  #partition(partition: number): Partition {
    const found = this.#partitions[partition]
    if (found !== undefined) return found
    throw new ConfigurationError(
      `Topic ${this.topic} has partitions 0 to ${this.#partitions.length - 1}, got partition ${partition}.`,
      { topic: this.topic },
    )
  }

  #append(records: readonly OutgoingRecord[]): void {
    const limits = { maxRecords: this.#options.batchRecords ?? 1000, maxBytes: MAX_BATCH_BYTES }
    const encoded: [number, StoredBatch[]][] = []
    for (const [partition, lists] of groupIntoBatches(this.topic, this.#partitions.length, records, limits)) {
      let next = this.#partition(partition).next
      const batches = lists.map((list) => {
        const baseOffset = next
        next += list.length
        return { baseOffset, nextOffset: next, bytes: encodeRecordBatch(baseOffset, list) }
      })
      encoded.push([partition, batches])
    }
    // Nothing is stored before everything is encoded, so a record that cannot be encoded leaves the log as it was.
    for (const [partition, batches] of encoded) {
      const stored = this.#partition(partition)
      for (const batch of batches) stored.batches.push(batch)
      stored.next = batches.at(-1)?.nextOffset ?? stored.next
      this.#arrivals.wake(partition)
    }
  }
}

function emptyPartition(): Partition {
  return { earliest: 0, next: 0, batches: [] }
}

class MemoryLogReader implements LogReader {
  readonly partition: number
  readonly #topic: string
  readonly #stored: Partition
  readonly #arrivals: Arrivals
  readonly #clock: Clock
  readonly #fetchRecords: (() => number) | undefined
  readonly #walker: RecordBatchWalker
  #isClosed = false
  #lent: Buffer = Buffer.alloc(0)
  #offset = 0

  constructor(
    topic: string,
    partition: number,
    stored: Partition,
    arrivals: Arrivals,
    clock: Clock,
    fetchRecords: (() => number) | undefined,
  ) {
    this.partition = partition
    this.#topic = topic
    this.#stored = stored
    this.#arrivals = arrivals
    this.#clock = clock
    this.#fetchRecords = fetchRecords
    this.#walker = new RecordBatchWalker(topic, partition)
  }

  seek(offset: number): void {
    this.#offset = offset
  }

  async fetch({ maxBytes, maxWaitMs, signal }: FetchOptions): Promise<RecordBatch | null> {
    const until = this.#clock.now() + maxWaitMs
    for (;;) {
      if (this.#isClosed || signal?.aborted === true) return null
      this.#checkRange()
      if (this.#offset < this.#stored.next) return this.#lend(maxBytes)
      const leftMs = until - this.#clock.now()
      if (leftMs <= 0) return null
      await this.#arrivals.wait(this.partition, leftMs, signal)
    }
  }

  async bounds(): Promise<LogBounds> {
    return { earliest: this.#stored.earliest, next: this.#stored.next }
  }

  async offsetAt(time: number): Promise<number> {
    const { earliest, next, batches } = this.#stored
    for (const { bytes, baseOffset } of batches) {
      const range = { startOffset: earliest, gaplessFrom: baseOffset }
      const found = firstRecordAt(time, new RecordBatchWalker(this.#topic, this.partition).load(bytes, range))
      if (found !== null) return found
    }
    return next
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#arrivals.wake(this.partition)
  }

  #checkRange(): void {
    const { earliest, next } = this.#stored
    if (this.#offset >= earliest && this.#offset <= next) return
    throw new OffsetOutOfRangeError(
      `${this.#topic}/${this.partition} holds offsets ${earliest} to ${next} (the next one), not ${this.#offset}. ` +
        `Records below ${earliest} are gone: seek to ${earliest} to lose them knowingly.`,
      { topic: this.#topic, partition: this.partition, offset: this.#offset },
    )
  }

  #lend(maxBytes: number): RecordBatch {
    const first = this.#batchAt(this.#offset)
    const chosen: Buffer[] = []
    let bytes = 0
    for (let index = first; index < this.#stored.batches.length; index++) {
      const batch = this.#stored.batches[index]!
      if (bytes > 0 && bytes + batch.bytes.length > maxBytes) break
      chosen.push(batch.bytes)
      bytes += batch.bytes.length
    }
    this.#lent.fill(OVERWRITTEN)
    if (this.#lent.length < bytes) this.#lent = Buffer.allocUnsafeSlow(bytes)
    let at = 0
    for (const part of chosen) {
      this.#lent.set(part, at)
      at += part.length
    }
    const gaplessFrom = this.#stored.batches[first]!.baseOffset
    const most = this.#fetchRecords?.()
    const endOffset = most === undefined ? Number.MAX_SAFE_INTEGER : this.#offset + Math.max(1, Math.floor(most))
    const batch = this.#walker.load(this.#lent.subarray(0, bytes), {
      startOffset: this.#offset,
      endOffset,
      gaplessFrom,
    })
    this.#offset = batch.nextOffset
    return batch
  }

  /** Index of the batch that holds `offset`: batches are in order and without gaps. */
  #batchAt(offset: number): number {
    const { batches } = this.#stored
    let low = 0
    let high = batches.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (batches[middle]!.nextOffset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
